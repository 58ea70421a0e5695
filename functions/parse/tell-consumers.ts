// Tells those who consume mail that it is stored, once the JSON of all recipients is. A job that comes again tells them
// again: the JSON may have been stored by a run that ended before it told anybody.
import type { LocalRecipient } from '#mail/envelope/recipient.ts';
import type { Config } from '#pipeline/config/config.ts';
import type { ParseJob } from '#pipeline/contract/jobs.ts';
import { type MailEvent, mailEventOf } from '#pipeline/contract/mail-event.ts';
import { isWanted } from '#pipeline/contract/mail-match.ts';
import { assembleMessage, type ParsedContent } from './assemble-message.ts';
import type { ParseDeps } from './parse-deps.ts';

/** Recipients told of at once. */
const toldTogether = 32;

/**
 * Tells EventBridge, if the deployment wants that, and queues a job for each hook that wants the mail. `recipients`: by the key of
 * their JSON. Resolves when all that is to be told is certain to be; rejects with an own fault otherwise.
 */
export async function tellConsumers(
  deps: Pick<ParseDeps, 'announce' | 'config' | 'jobs' | 'clock'>,
  job: ParseJob,
  {
    content,
    recipients,
  }: { readonly content: ParsedContent; readonly recipients: ReadonlyMap<string, LocalRecipient> },
): Promise<void> {
  const { hooks } = await deps.config.current();
  if (deps.announce === undefined && hooks.length === 0) return;
  const entries = [...recipients];
  for (let at = 0; at < entries.length; at += toldTogether) {
    const events = entries
      .slice(at, at + toldTogether)
      .map(([key, recipient]) => mailEventOf(assembleMessage(job, recipient, content), key));
    await Promise.all(events.flatMap((event) => [deps.announce?.(event), ...callHooks(deps, job, { event, hooks })]));
  }
}

function callHooks(
  { jobs, clock }: Pick<ParseDeps, 'jobs' | 'clock'>,
  { id }: ParseJob,
  { event, hooks }: { readonly event: MailEvent; readonly hooks: Config['hooks'] },
): readonly Promise<void>[] {
  const createdAt = new Date(clock()).toISOString();
  return hooks
    .filter(({ match }) => isWanted(match, event))
    .map(({ name }) => {
      const first = { version: 1, id, key: event.key, hook: name, createdAt, attempt: 1, lastReason: null } as const;
      return jobs.send('notify', first, { group: name });
    });
}
