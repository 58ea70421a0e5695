// What the listener is given by its composition root, and what it tells of itself.

import type { Certificate } from '#container/session/protocol-options.ts';
import type { MessageId } from '#mail/header/message-id.ts';
import type { Config, ConfigSource } from '#pipeline/config/config.ts';
import type { Clock, Intake, Log, Metrics, Secrets } from '#pipeline/contract/ports.ts';
import type { SuppressionLookup } from '#pipeline/contract/records/suppression-lookup.ts';

/** What a port is for: strangers' mail, or users' by STARTTLS or TLS. */
export type Role = Config['listeners'][number]['role'];

export type ListenerDeps = {
  readonly intake: Intake;
  readonly config: ConfigSource;
  readonly secrets: Secrets;
  /** Whether an address is written to, for mail of one domain of ours. */
  readonly suppressions: SuppressionLookup;
  readonly srsSecret: () => Promise<string>;
  /** The verified name of a client's address, or null. */
  readonly reverseName: (ip: string) => Promise<string | null>;
  readonly clock: Clock;
  readonly newMessageId: (nowMs: number) => MessageId;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Asked at start and now and then: a new one is taken into use without a restart. */
  readonly certificate: () => Promise<Certificate>;
  /** What whoever gives the certificate knows of it that it does not show, as a sentence. */
  readonly certificateProblem?: () => string | null;
  /** Hears now and then how many days the certificate is still good. */
  readonly onCertificateDays?: (days: number) => void;
  readonly onlyRoles?: readonly Role[];
  /** A load balancer in front begins each connection with a PROXY v2 header; without it nobody is let in. */
  readonly isBehindProxy?: boolean;
  /**
   * Puts a new hash of the same password in place of one in the configuration; `absent`: it is not there any more. Left out: the
   * configuration cannot be written from here.
   */
  readonly replaceHash?: (from: string, to: string) => Promise<'replaced' | 'absent'>;
  /**
   * What the process may take of memory; `limits.bytesInFlight` never exceeds a sixth of it, the hashing of passwords taken off before.
   * Left out: not known.
   */
  readonly memoryBytes?: number;
  /** How long a client from another machine waits for the greeting (milliseconds; 100). */
  readonly greetingDelayMs?: number;
  /** How often the certificate is asked for (seconds; 60). */
  readonly certificateSeconds?: number;
};

/** How the listener is. Times are ISO 8601, null if it has not happened. */
export type ListenerHealth = {
  readonly connections: number;
  readonly isDraining: boolean;
  readonly bytesInFlight: number;
  readonly lastStoredAt: string | null;
  readonly lastStoreFailureAt: string | null;
  /** What keeps clients from being served as they should be, as sentences: the certificate, users' secrets. */
  readonly problems: readonly string[];
};
