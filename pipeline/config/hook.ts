// One of `hooks`: which mail, and who is told of it.
import { z } from 'zod';
import { isLoopbackHost } from '#mail/address/loopback.ts';
import { mailMatchSchema } from '#pipeline/contract/mail-match.ts';
import { secretReference } from './secret-reference.ts';

const hookName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9.-]{0,62}$/, 'at most 63 lower-case letters, digits, dots and hyphens')
  .describe(
    'What logs, queues and the trace call it; if left out, the host of the URL (a command or module needs one).',
  );

const hookUrl = z
  .url({ protocol: /^https?$/, error: 'expected an http(s) URL' })
  .refine((text) => isWithoutLogin(text), { error: 'a password does not belong here: the webhook is signed' })
  .describe(
    'Where each message is sent by POST, signed as Standard Webhooks say. `http:` only to this machine, or with allowPrivate.',
  );

export const hookSchema = z
  .strictObject({
    name: hookName.optional(),
    match: mailMatchSchema
      .prefault({})
      .describe('Which mail: the words of a rule (docs/consume.md); left out: all in the inbox.'),
    url: hookUrl.optional(),
    secret: secretReference.optional().describe('A reference to the secret that signs: base64, as `whsec_…`.'),
    command: z
      .array(z.string().min(1))
      .min(1)
      .optional()
      .describe(
        'In place of `url`, on one machine: a program and its arguments, which gets the same JSON on its standard input.',
      ),
    module: z
      .string()
      .min(1)
      .optional()
      .describe(
        'In place of `url`, on one machine: a file that exports `handler`, which is called with the SQSEvent that a MailRule hands to a function.',
      ),
    environment: z
      .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'the name of a variable'), z.string())
      .default({})
      .describe(
        'Variables of a command or a module. A reference (`secret:NAME`, `file:PATH`, `env:NAME`) stands for what it leads to.',
      ),
    timeoutSeconds: z.int().min(1).max(50).default(20).describe('When a command or a module is killed.'),
    allowPrivate: z
      .boolean()
      .default(false)
      .describe('Whether the URL may lead into a private network (10.0.0.0/8, 192.168.0.0/16 …). Not on AWS.'),
  })
  .refine((hook) => [hook.url, hook.command, hook.module].filter((way) => way !== undefined).length === 1, {
    error: 'a hook has one of url, command and module',
  })
  .refine(({ url, secret }) => (url === undefined) === (secret === undefined), {
    path: ['secret'],
    error: 'a url needs the secret that signs; a command or a module has none',
  })
  .refine(({ name, url }) => name !== undefined || url !== undefined, {
    path: ['name'],
    error: 'a command or a module needs a name',
  })
  .refine(({ url, environment }) => url === undefined || Object.keys(environment).length === 0, {
    path: ['environment'],
    error: 'a url has no environment, only a command or a module',
  })
  .refine(({ url, allowPrivate }) => url === undefined || allowPrivate || isHttps(url) || isLoopbackHost(hostOf(url)), {
    path: ['url'],
    error: 'expected https: mail does not go over the network in clear',
  })
  .transform(({ name, ...hook }) => ({ ...hook, name: name ?? nameOf(hook.url ?? '') }));

/** A hook, defaults filled in. */
export type Hook = Readonly<z.output<typeof hookSchema>>;

/** The host of a URL; an IPv6 address without its brackets. */
export function hostOf(url: string): string {
  return (URL.parse(url)?.hostname ?? '').replace(/^\[(.*)\]$/, '$1');
}

function isWithoutLogin(text: string): boolean {
  const url = URL.parse(text);
  return url === null || (url.username === '' && url.password === '');
}

/** Whether a URL is one of https. */
export function isHttps(url: string): boolean {
  return URL.parse(url)?.protocol === 'https:';
}

function nameOf(url: string): string {
  return hostOf(url)
    .replaceAll(/[^a-z0-9.-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, 63);
}
