// The beginning of a message within its transaction: what intake is told of the session.
import { type IncomingMessage, receiveMessage } from '#container/intake/receive-message.ts';
import type { SessionState } from './session-state.ts';

/** Begins to receive it. `mayFrom`: what its header may name as author, null if that is not judged. Throws outside a transaction. */
export function openMessage(state: SessionState, mayFrom: readonly string[] | null): IncomingMessage {
  const { shared, transaction, config, user, tls, helo, clientName, client } = state;
  if (transaction === null) throw new Error('a message without a transaction');
  return receiveMessage({
    deps: shared.deps,
    budget: shared.budget.of(client.peer.isLoopback ? null : client.peer.group),
    config,
    esmtp: state.isEsmtp,
    mayFrom,
    hangUp: client.hangUp,
    onStored: shared.onStored,
    envelope: {
      session: { role: shared.role, clientIp: client.peer.ip, clientName, helo, tls, user: user?.name ?? null },
      reversePath: transaction.reversePath,
      ...transaction.options,
      recipients: [...transaction.recipients.values()].flat(),
    },
  });
}
