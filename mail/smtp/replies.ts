// Every reply of the listener, code and enhanced code together; no other file has numbers of its own.
// RFC 5321 §4.2 (codes), RFC 3463 and RFC 5248 (enhanced codes), RFC 4954 (AUTH), RFC 3207 (STARTTLS),
// RFC 3030 (BDAT), RFC 8689 (REQUIRETLS). A text says what to do, and nothing about us.

import { reply } from './reply.ts';

/** The replies by what they say. Functions where a reply names something. */
export const replies = {
  // The session
  greeting: (hostname: string) => reply(220, null, `${hostname} ESMTP Pillarbox`),
  helo: (hostname: string) => reply(250, null, hostname),
  /** `extensions`: the lines of the EHLO answer behind the first. */
  ehlo: (hostname: string, extensions: readonly string[]) => reply(250, null, [hostname, ...extensions].join('\n')),
  bye: reply(221, '2.0.0', 'Bye'),
  noop: reply(250, '2.0.0', 'OK'),
  reset: reply(250, '2.0.0', 'OK'),
  help: reply(214, '2.0.0', 'See RFC 5321'),
  /** RFC 5321 §3.5.3: mail to an existing mailbox is judged at RCPT, not here. */
  cannotVerify: reply(252, '2.5.0', 'Cannot VRFY user, but will accept message and attempt delivery'),
  expandRefused: reply(502, '5.5.1', 'EXPN is not available'),

  // The transaction
  senderOk: reply(250, '2.1.0', 'Sender OK'),
  recipientOk: reply(250, '2.1.5', 'Recipient OK'),
  startData: reply(354, null, 'End data with <CR><LF>.<CR><LF>'),
  /** BDAT before the last chunk (RFC 3030 §2). */
  chunkReceived: (bytes: number) => reply(250, '2.0.0', `${bytes} octets received`),
  okQueued: (id: string) => reply(250, '2.6.0', `Message accepted as ${id}`),

  // Platform faults: temporary, and the cause goes to the log only
  platformFault: reply(451, '4.3.0', 'Temporary failure here; please try again later'),
  shuttingDown: reply(421, '4.3.2', 'Shutting down; please reconnect'),

  // Limits
  tooManyConnections: reply(421, '4.7.0', 'Too many connections from your address; please try again later'),
  tooManyConnectionsInAll: reply(421, '4.3.2', 'Too many connections; please try again later'),
  /** These say no to this message or recipient and keep the session. */
  tooManyMessages: reply(450, '4.7.1', 'Too many messages from your address in a short time; please try again later'),
  tooManyUserMessages: (seconds: number) =>
    reply(450, '4.7.1', `Too many messages of this user in a short time; please try again in ${seconds} seconds`),
  tooManyUserRecipients: (seconds: number) =>
    reply(450, '4.7.1', `Too many recipients of this user in a short time; please try again in ${seconds} seconds`),
  tooManyTransactions: reply(421, '4.7.0', 'Too many messages in one session; please reconnect'),
  tooManyErrors: reply(421, '4.7.0', 'Too many errors'),
  idleTimeout: reply(421, '4.4.2', 'Timeout exceeded'),
  sessionTimeout: reply(421, '4.4.2', 'The session took too long'),
  dataTimeout: reply(421, '4.4.2', 'The message came too slowly'),
  messageTooBig: (maxBytes: number) => reply(552, '5.3.4', `The message is larger than ${maxBytes} octets`),
  tooManyRecipients: (max: number) =>
    reply(452, '4.5.3', `At most ${max} recipients in one message; send to the others in another`),
  recipientsDoNotFit: reply(452, '4.5.3', 'No more recipients fit in one message; send to the others in another'),
  lineTooLong: reply(500, '5.5.2', 'The line is too long'),
  earlyTalker: reply(554, '5.5.1', 'Protocol error: the client must wait for the greeting'),

  // Syntax and order of commands
  unknownCommand: reply(500, '5.5.2', 'Command not recognised'),
  syntaxError: (problem: string) => reply(501, '5.5.4', `Syntax error: ${problem}`),
  badSenderSyntax: (problem: string) => reply(501, '5.1.7', `Sender address: ${problem}`),
  badRecipientSyntax: (problem: string) => reply(501, '5.1.3', `Recipient address: ${problem}`),
  badParameter: (problem: string) => reply(501, '5.5.4', problem),
  unknownParameter: (keyword: string) => reply(555, '5.5.4', `Parameter not recognised: ${keyword}`),
  badHelo: reply(501, '5.5.4', 'EHLO needs a host name or an address literal'),
  /** After a greeting that was a refusal (RFC 5321 §3.1). */
  noService: reply(503, '5.5.1', 'There is no service here: only QUIT may follow'),
  heloFirst: reply(503, '5.5.1', 'Send EHLO first'),
  mailFirst: reply(503, '5.5.1', 'Need MAIL command'),
  rcptFirst: reply(503, '5.5.1', 'Need RCPT command'),
  nestedMail: reply(503, '5.5.1', 'Nested MAIL command'),
  noValidRecipients: reply(554, '5.5.1', 'No valid recipients'),
  /** A BDAT out of order, or DATA within BDAT (RFC 3030 §2). */
  chunkOutOfOrder: reply(503, '5.5.1', 'BDAT out of order'),
  /** BODY=BINARYMIME can only be sent with BDAT (RFC 3030 §3). */
  binaryNeedsChunks: reply(503, '5.5.1', 'BINARYMIME needs BDAT'),
  smtpUtf8Needed: reply(553, '5.6.7', 'Must declare SMTPUTF8 to send from or to an international address'),

  // Recipients
  unknownMailbox: reply(550, '5.1.1', 'No such mailbox here'),
  relayDenied: reply(550, '5.7.1', 'Relay access denied'),
  nullRecipient: reply(501, '5.1.3', 'The recipient address is empty'),
  /** The address has bounced before; the reason is what its host said. */
  suppressedRecipient: (reason: string) =>
    reply(550, '5.1.1', `The address is suppressed: ${reason.replace(/\s+/g, ' ')}`),
  /** The same for an alias: where it leads, and what the host there said, is private. */
  suppressedAlias: reply(550, '5.1.1', 'Mail to this address cannot be delivered at present'),
  /** SRS: who has seen a return address of ours must not send mail to it. */
  bouncesOnly: reply(550, '5.7.1', 'A return address takes bounces only, from <>'),

  // Senders
  senderNotAllowed: reply(553, '5.7.1', 'You may not send from this address'),
  /** A display name that looks like an address counts as one, so it says which. */
  fromNotAllowed: (field: string, address: string) =>
    reply(550, '5.7.1', `You may not write ${address} into the ${field} field`),
  fromMissing: reply(550, '5.6.0', 'The message needs exactly one From field with an address'),
  senderTwice: reply(550, '5.6.0', 'The message has more than one Sender field'),
  authorUnreadable: (field: string, problem: string) =>
    reply(550, '5.7.1', `The ${field} field is not plain enough to tell who the author is: ${problem}`),

  // The message
  bareLineFeed: reply(550, '5.6.11', 'The message has a bare CR or LF; lines end in CRLF'),
  loop: reply(554, '5.4.6', 'Mail loop detected'),
  nulInHeader: reply(550, '5.6.0', 'The header of the message has NUL octets'),
  headerTooBig: reply(552, '5.3.4', 'The header of the message is too large'),
  tooManyFields: (max: number) => reply(552, '5.3.4', `The header of the message has more than ${max} fields`),
  headerUnreadable: (problem: string) => reply(550, '5.6.0', `The header of the message is malformed: ${problem}`),

  // In place of a next host that cannot do what a message needs: on record and in the bounce, never spoken
  hopNotSecure: reply(
    550,
    '5.7.30',
    'The sender requires TLS all the way (REQUIRETLS), and this host cannot promise that',
  ),
  hopWithoutUtf8: reply(550, '5.6.7', 'This host does not take international addresses or header fields (SMTPUTF8)'),
  hopWithoutBinary: reply(550, '5.6.1', 'The message is binary (BINARYMIME) and cannot be sent on as it is'),
  hopTooSmall: (bytes: number, maxBytes: number) =>
    reply(550, '5.3.4', `The message has ${bytes} bytes and this host takes at most ${maxBytes}`),
  senderNoAddress: reply(550, '5.1.7', 'The sender is not an address'),
  recipientNoAddress: reply(550, '5.1.3', 'The recipient is not an address'),

  // TLS
  startTlsReady: reply(220, '2.0.0', 'Begin TLS'),
  startTlsFirst: reply(530, '5.7.0', 'STARTTLS first'),
  startTlsNotOffered: reply(502, '5.5.1', 'STARTTLS is not offered here: no certificate is configured'),
  tlsAlreadyActive: reply(503, '5.5.1', 'TLS is already active'),
  requireTlsWithoutTls: reply(530, '5.7.0', 'REQUIRETLS needs TLS'),

  // AUTH
  authOk: reply(235, '2.7.0', 'Authentication successful'),
  authChallenge: (challenge: string) => reply(334, null, challenge),
  authRequired: reply(530, '5.7.0', 'Authentication required'),
  authFailed: reply(535, '5.7.8', 'Authentication failed: wrong name or password'),
  /** The user was removed, or its password or senders were changed, since the log-in. */
  userChanged: reply(421, '4.7.0', 'The settings of this user have changed; please log in again'),
  authTooManyFailures: reply(421, '4.7.0', 'Too many failed attempts'),
  authNeedsTls: reply(538, '5.7.11', 'STARTTLS first: passwords are not taken in clear'),
  authTemporaryFailure: reply(454, '4.7.0', 'Authentication is not available now'),
  /** The password was not even looked at: too many wrong ones came for this name from all over. */
  authTooManyGuesses: reply(454, '4.7.0', 'Too many failed log-ins under this name; please try again later'),
  authUnknownMechanism: reply(504, '5.5.4', 'Authentication mechanism not supported'),
  authBadBase64: reply(501, '5.5.2', 'Not base64'),
  authBadResponse: reply(501, '5.5.2', 'Not a name and a password as the mechanism wants them'),
  authCancelled: reply(501, '5.7.0', 'Authentication cancelled'),
  authAlready: reply(503, '5.5.1', 'Already authenticated'),
  authInTransaction: reply(503, '5.5.1', 'Not permitted during a mail transaction'),
  authNotOffered: reply(502, '5.5.1', 'AUTH is not offered here'),
  /** RFC 4954 §6; any other line is `lineTooLong`. */
  authLineTooLong: reply(500, '5.5.6', 'The line is too long'),
} as const;
