// Secrets by name from AWS Secrets Manager; keeping them for a while is secrets.ts's business.
import { GetSecretValueCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { NamedSecrets } from '#pipeline/config/secrets.ts';

/** `NAME` is the secret `<prefix>NAME`; its text, or its bytes as UTF-8. Throws where there is none. */
export function secretsManagerSecrets({
  client,
  prefix,
}: {
  readonly client: Pick<SecretsManagerClient, 'send'>;
  readonly prefix: string;
}): NamedSecrets {
  return async (name) => {
    const answer = await client.send(new GetSecretValueCommand({ SecretId: `${prefix}${name}` }));
    if (answer.SecretString !== undefined) return answer.SecretString;
    if (answer.SecretBinary !== undefined) return Buffer.from(answer.SecretBinary).toString('utf8');
    throw new Error(`secret ${prefix}${name} has no value`);
  };
}
