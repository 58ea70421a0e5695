// The policies of docs/deploy.md, and what the commands that each is for were seen to ask of AWS.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { blocksOf, home } from './read-docs.ts';

/** In the order of docs/deploy.md. `asked`: what the commands were seen to ask for. */
export const policies = [
  { commands: ['check', 'config', 'dkim new', 'user', 'domain', 'mailbox', 'alias'], asked: new Set<string>() },
  { commands: ['list', 'show', 'trace', 'queues', 'deliveries', 'suppressions'], asked: new Set<string>() },
  { commands: ['mark', 'tag', 'delete'], asked: new Set<string>() },
];

/** An action, and what it is allowed for. */
type Allowed = { readonly action: string; readonly resource: string };

/** Each policy of the page, in order. */
export function writtenPolicies(): readonly (readonly Allowed[])[] {
  const blocks = blocksOf(readFileSync(join(home, 'docs/deploy.md'), 'utf8'));
  return blocks
    .filter(({ lines }) => lines[1]?.includes('"Version"'))
    .map(({ lines }) =>
      JSON.parse(lines.join('\n')).Statement.flatMap(({ Action, Resource }: any) =>
        [Action].flat().flatMap((action) => [Resource].flat().map((resource) => ({ action, resource }))),
      ),
    );
}

/** `asked`: an action, and the key in the bucket if it is one of S3's. */
export function allows({ action, resource }: Allowed, asked: string): boolean {
  const [name, key = ''] = asked.split(' ');
  const [, path = ''] = /^arn:aws:s3:::[^/]+\/?(.*)$/.exec(resource) ?? [];
  return action === name && (path.endsWith('*') ? key.startsWith(path.slice(0, -1)) : path === key);
}
