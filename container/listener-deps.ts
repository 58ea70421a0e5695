// What the listener is given by its composition root, and what it tells of itself.

import type { Certificate } from '#container/session/protocol-options.ts';
import type { Client, Conversation } from '#container/session/step.ts';
import type { MessageId } from '#mail/header/message-id.ts';
import type { Config, ConfigSource } from '#pipeline/config/config.ts';
import type { Clock, Intake, Log, Metrics, Secrets } from '#pipeline/contract/ports.ts';
import type { SuppressionLookup } from '#pipeline/contract/records/suppression-lookup.ts';

/** What a port is for: mail of other servers, or of users by STARTTLS or TLS. */
export type Role = Config['listeners'][number]['role'];

/** What may stand between a client and its conversation. */
export type Disturbance = {
  /** A conversation with the faults in between. `config`: what is in force now. */
  readonly disturb: (
    conversation: Conversation,
    session: { readonly client: Client; readonly config: () => Config },
  ) => Conversation;
  /** Nobody waits any longer: the listener closes. */
  readonly endDelays: () => void;
};

export type ListenerDeps = {
  readonly intake: Intake;
  readonly config: ConfigSource;
  readonly secrets: Secrets;
  /** Whether an address is written to, for mail of one domain of ours. */
  readonly suppressions: SuppressionLookup;
  readonly srsSecret: () => Promise<string>;
  /** The verified name of a client's address, or null. */
  readonly reverseName: (ip: string) => Promise<string | null>;
  /** Faults on purpose: only a service on one machine has it, and it is without effect but in mode `capture`. */
  readonly chaos?: Disturbance;
  readonly clock: Clock;
  readonly newMessageId: (nowMs: number) => MessageId;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Asked at start and every `certificateSeconds` (60): a new one is taken into use without a restart. */
  readonly certificate: () => Promise<Certificate>;
  /** Why the certificate is not the configured one, as a sentence, if its source knows. */
  readonly certificateProblem?: () => string | null;
  /** Called each time with the days that the certificate is still valid. */
  readonly onCertificateDays?: (days: number) => void;
  readonly certificateSeconds?: number;
  /** The ports to open instead of those of the configuration. */
  readonly listeners?: Config['listeners'];
  readonly onlyRoles?: readonly Role[];
  /** In capture mode: clients of other machines need no TLS and may log in as anybody, too. */
  readonly anyLogin?: boolean;
  /** A load balancer in front begins each connection with a PROXY v2 header; without it nobody is let in. */
  readonly isBehindProxy?: boolean;
  /** Puts a new hash of the same password in place of one in the configuration, if that can be written; `absent`: it is not there. */
  readonly replaceHash?: (from: string, to: string) => Promise<'replaced' | 'absent'>;
  /** Memory of the process, if known: `limits.bytesInFlight` never exceeds a sixth of what the hashing of passwords leaves of it. */
  readonly memoryBytes?: number;
  /** How long a client from another machine waits for the greeting (milliseconds; 100). */
  readonly greetingDelayMs?: number;
};

/** How the listener is. Times are ISO 8601, null if it has not happened. */
export type ListenerHealth = {
  readonly connections: number;
  readonly isDraining: boolean;
  /** Ports that were opened and are not open any more. */
  readonly closedPorts: readonly number[];
  readonly bytesInFlight: number;
  readonly lastStoredAt: string | null;
  readonly lastStoreFailureAt: string | null;
  /** Users whose hash is not where the configuration says, or is none, as far as they tried to log in. */
  readonly usersShutOut: number;
  /** What keeps clients from being served as they should be, as sentences: the certificate, users' secrets. */
  readonly problems: readonly string[];
};
