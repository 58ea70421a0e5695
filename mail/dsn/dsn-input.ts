// What a delivery status notification is made of.

/** What happened to one recipient (RFC 3464 §2.3.3). `relayed`: handed to a host that sends no notifications. */
export type DsnAction = 'failed' | 'delayed' | 'delivered' | 'relayed' | 'expanded';

/** One recipient in a notification. Times are ISO 8601. */
export type DsnRecipient = {
  /** The address the delivery was tried to. */
  readonly finalRecipient: string;
  /** The decoded ORCPT, `rfc822;…` or `utf-8;…`; null where none was given. */
  readonly originalRecipient: string | null;
  readonly action: DsnAction;
  /** Enhanced status code (RFC 3463), `5.1.1`. */
  readonly status: string;
  /** The host that said so, or null where it was us. */
  readonly remoteMta: string | null;
  /** The peer's reply as it came, `550 5.1.1 No such user`, or null. */
  readonly diagnostic: string | null;
  /** Our own sentence of why; it goes into the human part. */
  readonly explanation: string;
  readonly lastAttemptAt: string | null;
  readonly willRetryUntil: string | null;
};

/** Everything a notification is made of: the same input gives the same bytes. Times are ISO 8601. */
export type DsnInput = {
  /** The id of the notification itself; its Message-ID is made of it. */
  readonly id: string;
  /** Letters and digits, at most 60; not taken as it is where the original contains it. */
  readonly boundary: string;
  readonly hostname: string;
  /** Whom it goes to: the reverse-path of the original message, or the sender it was rewritten for. Never empty (see isReportWanted). */
  readonly to: string;
  readonly now: string;
  readonly arrivalAt: string;
  readonly envid: string | null;
  readonly ret: 'full' | 'hdrs' | null;
  /** Whether the original came with SMTPUTF8: then the notification may have UTF-8 in its fields, and asks for it too. */
  readonly smtpUtf8: boolean;
  readonly recipients: readonly DsnRecipient[];
  /** The original message: all of it, or its beginning with the whole header. */
  readonly original: Uint8Array;
  /** The octets of the whole original. */
  readonly originalBytes: number;
};
