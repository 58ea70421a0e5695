// Questions of an operator to services of AWS of which one or two operations are needed: signed here, so no SDK of them is.
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { z } from 'zod';
import { type AwsPlace, commonSettings } from '#pipeline/aws/clients.ts';
import { createSignedSender, type SignedSender } from '#pipeline/aws/signed-request.ts';

/** `host`: the beginning of its host name; `name`: what signatures call it. */
type Service = { readonly host: string; readonly name: string };

/** Answers the JSON. Throws an Error named as AWS names it (`AccessDeniedException`). */
export type Asker = (request: Parameters<SignedSender>[0]) => Promise<unknown>;

const maxBodyBytes = 8_388_608;

/** Asks the service in the place's region. It tries nothing again. */
export function createAsker(place: AwsPlace, { host, name }: Service): Asker {
  const { region, endpoint } = place;
  const end = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
  const url = new URL(endpoint ?? `https://${host}.${region}.${end}`);
  const client = new SecretsManagerClient(commonSettings(place));
  const send = createSignedSender(client, async () => ({ url, basePath: '' }), { name, region, maxBodyBytes });
  return async (request) => {
    const { status, headers, body } = await send(request);
    const answer: unknown = JSON.parse(body.toString('utf8') || '{}');
    if (status === 200) return answer;
    const { __type: type, message } = errorSchema.parse(answer);
    // The header ends in a URL, the type in the body begins with a namespace.
    const kind = (headers['x-amzn-errortype'] ?? type ?? `Status${status}`).split(':')[0]?.split('#').at(-1) ?? '';
    throw Object.assign(new Error(message ?? `${name} answered ${status}`), { name: kind });
  };
}

const errorSchema = z.object({ __type: z.string().optional(), message: z.string().optional() }).catch({});
