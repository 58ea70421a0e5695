// Deletes mail: the copies in mailboxes, and with the last of them what only the message holds: its attachments, marks and
// verdict, and its bytes. Bytes that a job or an outbound delivery still needs stay until the retention takes them.
import { z } from 'zod';
import { type MessageId, receivedAtOf } from '#mail/header/message-id.ts';
import { isAnswer, json, notFound } from '#ops/api/answer.ts';
import { mailbox, messageId } from '#ops/api/parameters.ts';
import { useCase } from '#ops/api/use-case.ts';
import type { MailDeps } from '#ops/deps.ts';
import { attachmentsPrefix, envelopeKey, marksKey, rawKey, verdictKey } from '#pipeline/contract/keys.ts';
import { listAll } from '#pipeline/contract/list-all.ts';
import type { Clock } from '#pipeline/contract/ports.ts';
import { deliveryRecord } from '#pipeline/contract/records/delivery.ts';
import { type Counts, countSelected, forEachSelected, selected, selection } from './select-messages.ts';
import { isInMailbox } from './show-message.ts';

type CountingDeps = Deps & { readonly admin: Counts; readonly clock: Clock };
type Deps = {
  readonly admin: Pick<MailDeps['admin'], 'messages' | 'findMessage' | 'deliveryKeys' | 'underWay'>;
  readonly store: Pick<MailDeps['store'], 'get' | 'list' | 'delete'>;
};

const maxDeliveries = 500;
const gives = z.object({ deleted: z.number() });

/** `left`: messages that the next request like this deletes; null: there are some, and nobody has counted them. */
export const deletedSome = z.object({ deleted: z.number(), left: z.number().nullable() });

/** `deleted`: messages, not copies. 404 if it is in no mailbox, or not in this one. */
export const deleteMessage = useCase({
  about: 'delete one message; mailbox: only its copy there',
  takes: { ID: messageId, mailbox },
  gives,
  answer: async (deps: Deps, { ID: id, mailbox: only }) => {
    const deleted = await deleteEach(deps, [id], only);
    return deleted === 0 ? notFound(`message ${id} is in no mailbox here, or not in this one`) : json({ deleted });
  },
});

export const deleteMessages = useCase({
  about: 'delete the mail that a search finds, the mail of a mailbox (its copies alone), or all of it (all=true)',
  takes: selection,
  gives: deletedSome,
  answer: async (deps: CountingDeps, given) => {
    const chosen = selected(given);
    if (isAnswer(chosen)) return chosen;
    const work = (ids: readonly MessageId[]) => deleteEach(deps, ids, chosen.mailbox);
    const { done, next } = await forEachSelected(deps, { ...chosen, after: null }, work);
    const left = next === null ? 0 : await countSelected(deps.admin, chosen, ({ messages }) => messages);
    return json({ deleted: done, left });
  },
});

/** `only`: a mailbox or a domain whose copies are deleted, null for all copies. Answers of how many messages there was one. */
export async function deleteEach(deps: Deps, ids: readonly MessageId[], only: string | null): Promise<number> {
  const underWay = new Set(await deps.admin.underWay(ids));
  const deleted = await Promise.all(ids.map((id) => deleteOne(deps, { id, only, isUnderWay: underWay.has(id) })));
  return deleted.filter((isDeleted) => isDeleted).length;
}

/** The copies go first: what a crash leaves behind them nobody sees, and the retention takes it. */
async function deleteOne(
  { admin, store }: Deps,
  { id, only, isUnderWay }: { readonly id: MessageId; readonly only: string | null; readonly isUnderWay: boolean },
): Promise<boolean> {
  const copies = await admin.findMessage(id, { everywhere: true });
  const wanted = copies.filter((key) => only === null || isInMailbox(key, only));
  await Promise.all(wanted.map((key) => store.delete(key)));
  if (wanted.length === 0 || wanted.length < copies.length) return wanted.length > 0;
  const received = { id, receivedAt: receivedAtOf(id) };
  const keys = [
    ...(await listAll(store.list, attachmentsPrefix(received))).map(({ key }) => key),
    verdictKey(received),
    marksKey(received),
  ];
  if (!isUnderWay && !(await isGoingOut({ admin, store }, id))) {
    const raw = rawKey(received);
    keys.push(envelopeKey(raw), raw);
  }
  await Promise.all(keys.map((key) => store.delete(key)));
  return true;
}

/** Whether a delivery to another server has not ended. */
async function isGoingOut({ admin, store }: Pick<Deps, 'admin' | 'store'>, id: MessageId): Promise<boolean> {
  const { keys, next } = await admin.deliveryKeys({ id, limit: maxDeliveries, after: null });
  if (next !== null) return true; // nobody counts so many
  const states = await Promise.all(keys.map((key) => deliveryRecord.find(store, key)));
  return states.some((record) => record === null || record.state === 'sending' || record.state === 'waiting');
}
