// Tells those who consume mail that it is stored, once the JSON of all recipients is. A job that comes again tells them
// again: the JSON may have been stored by a run that ended before it told anybody.
import type { LocalRecipient } from '#mail/envelope/recipient.ts';
import type { ParseJob } from '#pipeline/contract/jobs.ts';
import { mailEventOf } from '#pipeline/contract/mail-event.ts';
import { assembleMessage, type ParsedContent } from './assemble-message.ts';
import type { ParseDeps } from './parse.ts';

/** Recipients told of at once. */
const toldTogether = 32;

/** `recipients`: by the key of their JSON. Resolves when all that is to be told is certain to be; rejects with an own fault otherwise. */
export async function tellConsumers(
  { announce }: Pick<ParseDeps, 'announce'>,
  job: ParseJob,
  {
    content,
    recipients,
  }: { readonly content: ParsedContent; readonly recipients: ReadonlyMap<string, LocalRecipient> },
): Promise<void> {
  if (announce === undefined) return;
  const entries = [...recipients];
  for (let at = 0; at < entries.length; at += toldTogether) {
    await Promise.all(
      entries
        .slice(at, at + toldTogether)
        .map(([key, recipient]) => announce(mailEventOf(assembleMessage(job, recipient, content), key))),
    );
  }
}
