// What the protocol (smtp-protocol.ts, which reads and writes sockets) and the conversation (conversation.ts, which
// knows SMTP and mail) have to say to each other. Neither knows more of the other than this.

import type { TLSSocket } from 'node:tls';
import type { Peer } from '#mail/address/peer-address.ts';
import type { MessageId } from '#mail/header/message-id.ts';
import type { Reply } from '#mail/smtp/reply.ts';

export type TlsFacts = { readonly version: string; readonly cipher: string };

/** Version and cipher of a connection under TLS, in OpenSSL's words; `unknown` if the socket is closed already. */
export function tlsFacts(socket: TLSSocket): TlsFacts {
  return { version: socket.getProtocol() ?? 'unknown', cipher: socket.getCipher()?.name ?? 'unknown' };
}

/** Takes a message's bytes, `end` says what came of it. The conversation's: it may reject, which is a platform fault. */
export type MessageReceiver = {
  /** Of the message that ends with these bytes, if it is accepted; left out where none does. */
  readonly id?: MessageId;
  readonly write: (chunk: Buffer) => Promise<void> | undefined;
  readonly end: () => Promise<Step> | Step;
};

export type Step =
  | { readonly step: 'reply'; readonly reply: Reply }
  | { readonly step: 'close'; readonly reply: Reply }
  /** Closes the connection without a reply: chaos alone does that. */
  | { readonly step: 'drop' }
  /** The next line is no command but an answer to this (AUTH). */
  | { readonly step: 'prompt'; readonly reply: Reply; readonly next: (line: string) => Step | Promise<Step> }
  | { readonly step: 'data'; readonly reply: Reply; readonly receiver: MessageReceiver }
  | { readonly step: 'chunk'; readonly bytes: number; readonly receiver: MessageReceiver }
  | { readonly step: 'startTls'; readonly reply: Reply };

export type Pace = { readonly idleSeconds: number; readonly sessionSeconds: number };

/** One session's side that knows SMTP. A rejection or throw of any of these is answered `451 4.3.0`. */
export type Conversation = {
  readonly greet: () => Step | Promise<Step>;
  readonly command: (line: Buffer) => Step | Promise<Step>;
  /** `isAnswer`: it was no command but the answer to a prompt. */
  readonly overlongLine: (isAnswer: boolean) => Step;
  /** TLS is up: all that was said before is forgotten (RFC 3207 §4.2). */
  readonly secured: (tls: TlsFacts) => void;
  /** The connection is closed, or the message cannot go on: an unfinished message is dropped. */
  readonly closed: () => void;
  readonly maxLineBytes: () => number;
  /** The reply that ends the session of a user who may not use it any more; null while they may. */
  readonly dismissal: () => Reply | null;
  readonly pace: () => Pace;
};

/** The client of a session, and what a conversation may do to its connection. */
export type Client = {
  readonly peer: Peer;
  /** Sends a reply in the middle of a message and closes the connection. */
  readonly hangUp: (reply: Reply) => void;
  /** Sends the replies so far, because the next one takes a while. */
  readonly flush: () => void;
};

export const say = (reply: Reply): Step => ({ step: 'reply', reply });
export const sayAndClose = (reply: Reply): Step => ({ step: 'close', reply });
