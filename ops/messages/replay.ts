// `POST /api/messages/ID/replay`: what is asked for, and the outcome in words, with what is there already and stays.
import { parseAddress } from '#mail/address/address.ts';
import { isProblem } from '#mail/problem.ts';
import type { MailAdmin } from '#ops/admin.ts';
import { type Answer, badParameter, isAnswer, json, refusal } from '#ops/api/answer.ts';
import { readId, readQuery } from '#ops/api/parameters.ts';
import type { ReplayMessage } from './replay-message.ts';

const maxDeliveries = 500;

/** 202 with `{id, outcome, recipients, leftOut, kept}`; `kept`: the objects that are there already and stay. */
export async function replayOne(
  { admin, replayMessage }: { readonly admin: MailAdmin; readonly replayMessage: ReplayMessage },
  wanted: { readonly id: string | undefined; readonly query: URLSearchParams },
): Promise<Answer> {
  const id = readId(wanted.id);
  if (isAnswer(id)) return id;
  const given = readQuery(wanted.query, ['to']);
  if (isAnswer(given)) return given;
  const to = given['to'] === undefined ? null : parseAddress(given['to']);
  if (to !== null && isProblem(to)) return badParameter('to', 'a mailbox here (local@domain)');
  const landed = to === null ? await admin.findMessage(id) : [];
  const deliveries = to === null ? (await admin.deliveryKeys({ id, limit: maxDeliveries, after: null })).keys : [];
  const replayed = await replayMessage({ id, to });
  switch (replayed.outcome) {
    case 'queued':
      return json({ ...replayed, kept: [...landed, ...deliveries] }, 202);
    case 'not-found':
      return refusal(404, 'not-found', `message ${id} is not stored, or not any more`);
    case 'refused':
      return refusal(409, 'not-replayed', replayed.reason);
  }
}
