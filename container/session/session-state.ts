// What a session knows, and what all sessions of the listener share.

import type { CurrentConfig } from '#container/current-config.ts';
import type { FairBudget } from '#container/intake/fair-budget.ts';
import type { IncomingMessage } from '#container/intake/receive-message.ts';
import type { FailureTable, Rate } from '#container/limits/limits.ts';
import type { ListenerDeps, Role } from '#container/listener-deps.ts';
import type { User } from '#container/log-in/authenticate-user.ts';
import type { PasswordCheck } from '#container/log-in/check-password.ts';
import type { GuessLimit } from '#container/log-in/guess-limit.ts';
import type { LoginSecrets } from '#container/log-in/login-secrets.ts';
import type { HashRenewal } from '#container/log-in/renew-hash.ts';
import type { EnvelopeOptions } from '#mail/envelope/envelope.ts';
import type { RoutedRecipient } from '#mail/envelope/recipient.ts';
import type { Config } from '#pipeline/config/config.ts';
import type { Client, TlsFacts } from './step.ts';

/** The same for all sessions of a port. */
export type SessionShared = {
  readonly role: Role;
  /** The port is bound to loopback, and no proxy stands in front of it. */
  readonly isLocalPort: boolean;
  /** In capture mode every client is treated as one of this machine: without TLS, with any login. */
  readonly anyLogin: boolean;
  readonly deps: ListenerDeps;
  readonly config: CurrentConfig;
  readonly budget: FairBudget;
  readonly rate: Rate;
  readonly userRate: Rate;
  /** Recipients of each user, over all sessions. */
  readonly recipientRate: Rate;
  readonly failures: FailureTable;
  readonly guesses: GuessLimit;
  readonly checkPassword: PasswordCheck;
  readonly hashes: HashRenewal;
  readonly loginSecrets: LoginSecrets;
  readonly onStored: (isStored: boolean) => void;
};

/** A mail transaction (RFC 5321 §3.3): from MAIL to the end of the message. */
export type Transaction = {
  readonly config: Config;
  readonly reversePath: string;
  readonly options: EnvelopeOptions;
  /** By forward-path, one for each route: an address given twice is one recipient. */
  readonly recipients: Map<string, readonly RoutedRecipient[]>;
  /** What they take in the job, as JSON; an address given twice counts twice. */
  recipientBytes: number;
  hasRefused: boolean;
  /** The message, once it has begun. */
  message: IncomingMessage | null;
};

/** One session; the handlers of conversation.ts move it on. */
export type SessionState = {
  readonly shared: SessionShared;
  readonly client: Client;
  /** What the session goes by: in a transaction what was in force at its MAIL, else what is in force now. */
  readonly config: Config;
  helo: string | null;
  isEsmtp: boolean;
  tls: TlsFacts | null;
  user: User | null;
  transaction: Transaction | null;
  messages: number;
  refusedRecipients: number;
  errors: number;
  authFailures: number;
  clientName: string | null;
};

/** A session in which nothing was said yet. */
export function newSession(shared: SessionShared, client: Client): SessionState {
  return {
    shared,
    client,
    get config(): Config {
      return this.transaction?.config ?? shared.config.current();
    },
    helo: null,
    isEsmtp: false,
    tls: null,
    user: null,
    transaction: null,
    messages: 0,
    refusedRecipients: 0,
    errors: 0,
    authFailures: 0,
    clientName: null,
  };
}
