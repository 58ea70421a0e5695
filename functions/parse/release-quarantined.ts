// Mail that a person takes out of quarantine: its job has `disposition.released`, and is done where its quarantine object is gone.
// That object goes last, once the inbox object is there and consumers are told: a run that ends before leaves it, and the next one
// goes on. Objects are looked for in listings: this stage, which reads what strangers send, may read no finished mail.
import type { LocalRecipient } from '#mail/envelope/recipient.ts';
import type { ParseJob } from '#pipeline/contract/jobs.ts';
import { messageKey } from '#pipeline/contract/keys.ts';
import type { Clock, Handout, ListPage, ObjectStore } from '#pipeline/contract/ports.ts';

/** Longer than a run of this stage takes: whoever wrote an object before that is not about to tell of it any more. */
const longestRunMs = 120_000;

export function isReleased({ disposition }: Pick<ParseJob, 'disposition'>): boolean {
  return disposition.released !== undefined;
}

/** The job for those of its recipients whose quarantine object is there: what was deleted meanwhile does not come back. */
export async function stillQuarantined(store: Pick<ObjectStore, 'list'>, job: ParseJob): Promise<ParseJob> {
  const facts = await Promise.all(job.envelope.recipients.map((one) => find(store, quarantineKey(job, one))));
  const recipients = job.envelope.recipients.filter((_, n) => facts[n] !== null);
  return { ...job, envelope: { ...job.envelope, recipients } };
}

/**
 * Of the recipients, those whom this run tells consumers of: whose JSON it wrote, or an earlier run that ended before its quarantine
 * object was deleted. A JSON that another run has written a moment ago is that run's to tell of.
 */
export async function toTellOf(
  { store, clock }: { readonly store: Pick<ObjectStore, 'list'>; readonly clock: Clock },
  {
    recipients,
    written,
    handout,
  }: {
    readonly recipients: ReadonlyMap<string, LocalRecipient>;
    readonly written: readonly string[];
    readonly handout: Handout;
  },
): Promise<ReadonlyMap<string, LocalRecipient>> {
  if (handout.receiveCount > 1 || (handout.faults ?? 0) > 0) return recipients;
  const entries = await Promise.all(
    [...recipients].map(async (entry) => {
      if (written.includes(entry[0])) return [entry];
      const facts = await find(store, entry[0]);
      return facts !== null && Date.parse(facts.modifiedAt) + longestRunMs > clock() ? [] : [entry];
    }),
  );
  return new Map(entries.flat());
}

export async function endQuarantine(
  store: Pick<ObjectStore, 'delete'>,
  job: ParseJob,
  recipients: Iterable<LocalRecipient>,
): Promise<void> {
  await Promise.all([...recipients].map((one) => store.delete(quarantineKey(job, one))));
}

/** The recipients of quarantined mail without those whose inbox has it: a person released it, and a replay does not take it back. */
export async function notInInbox(store: Pick<ObjectStore, 'list'>, job: ParseJob): Promise<ParseJob> {
  const facts = await Promise.all(
    job.envelope.recipients.map(({ mailbox }) => find(store, messageKey('inbox', { ...job, ...mailbox }))),
  );
  const recipients = job.envelope.recipients.filter((_, n) => facts[n] === null);
  return { ...job, envelope: { ...job.envelope, recipients } };
}

/** An object that has exactly this key; null if there is none. */
async function find({ list }: Pick<ObjectStore, 'list'>, key: string): Promise<ListPage['objects'][number] | null> {
  const { objects } = await list({ prefix: key, limit: 1 });
  return objects.find((object) => object.key === key) ?? null;
}

function quarantineKey({ id, receivedAt }: ParseJob, { mailbox }: LocalRecipient): string {
  return messageKey('quarantine', { ...mailbox, id, receivedAt });
}
