// What a listening port is given and gives: the words between the listener and the file that knows smtp-server.

import type { Peer } from '#mail/address/peer-address.ts';
import type { Reply } from '#mail/smtp/reply.ts';
import type { Log } from '#pipeline/contract/ports.ts';
import type { Client, Conversation } from './step.ts';

/** A certificate chain and its key, PEM. */
export type Certificate = { readonly certificate: string; readonly key: string };

/** What one listening port needs. */
export type ProtocolOptions = {
  readonly host: string;
  readonly port: number;
  readonly implicitTls: boolean;
  /** A load balancer in front begins each connection with a PROXY v2 header. */
  readonly isBehindProxy: boolean;
  readonly certificate: Certificate;
  /** How long a client from another machine waits for the greeting, in milliseconds; one that speaks before is refused. */
  readonly greetingDelayMs: (peer: Peer) => number;
  /** Says whether a peer may connect. `release` is called once when its connection is closed. */
  readonly admit: (
    peer: Peer,
  ) => { readonly outcome: 'admitted'; readonly release: () => void } | { readonly outcome: 'refused'; reply: Reply };
  readonly converse: (client: Client) => Conversation;
  readonly log: Log;
  /** A command was refused by a fault of ours (`451`). */
  readonly onFault: () => void;
};

/** A listening port. */
export type ProtocolServer = {
  readonly port: number;
  readonly isListening: () => boolean;
  readonly useCertificate: (certificate: Certificate) => void;
  /** Looks at once which sessions may go on, because the configuration has changed. */
  readonly checkSessions: () => void;
  /** No new connections, `421` to idle clients; resolves when all is done, or after the grace, when the rest is cut off. */
  readonly close: (graceSeconds: number) => Promise<void>;
};
