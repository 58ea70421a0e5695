// Sends the message itself, between the 354 and the final dot.
import type { OutgoingMessage } from '#functions/deliver/message/outgoing-message.ts';
import type { Broken } from './reply-reader.ts';
import type { SmtpSocket } from './smtp-socket.ts';
import type { AttemptTime, Timeouts } from './timeouts.ts';

type Sending = {
  readonly socket: SmtpSocket;
  readonly message: OutgoingMessage;
  readonly timeouts: Timeouts;
  readonly time: AttemptTime;
};

/**
 * Sends the message as long as the peer takes it, however slowly; null, or what ended it before the final dot, so that the peer has no
 * message. The last piece has the dot: it goes out only while there is time for its answer.
 */
export async function sendContent({ socket, message, timeouts, time }: Sending): Promise<Broken | null> {
  socket.setDeadline(time.dotBy);
  if (message.content.kind === 'small') {
    if (performance.now() >= time.dotBy) return tooLate;
    socket.write(message.content.bytes);
    return null;
  }
  let next: Uint8Array | null = null;
  for await (const chunk of message.content.open()) {
    const broken = next === null ? null : await socket.writeAndWait(next, timeouts.blockMs);
    if (performance.now() >= time.dotBy - timerMs) return tooLate;
    if (broken !== null) return broken;
    next = chunk;
  }
  if (next !== null) socket.write(next);
  return null;
}

/** A timer may be early by so much. */
const timerMs = 20;

const tooLate: Broken = {
  how: 'timeout',
  detail: 'the host takes the message too slowly for one run here, so it was broken off before its end',
};
