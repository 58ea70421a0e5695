// `pillarbox.json`: its zod schema with every default. The listener and the functions read the same file; secrets in it are
// references, never values.
import { z } from 'zod';
import { type Domain, mailboxName as nameOf, parseAddress, parseDomain } from '#mail/address/address.ts';
import { isLoopbackHost } from '#mail/address/loopback.ts';
import { isProblem, type Problem } from '#mail/problem.ts';
import { chaosSchema } from '#pipeline/chaos/settings.ts';
import { defaultExpireSeconds } from '#pipeline/contract/retention.ts';
import { hookSchema } from './hook.ts';
import { secretReference } from './secret-reference.ts';

const seconds = z.int().positive();
const limit = z.int().positive();
const port = z.int().min(1).max(65_535);

/** A text as `parse` understands it. */
function parsedBy<Value>(parse: (text: string) => Value | Problem) {
  return (text: string, context: z.RefinementCtx): Value => {
    const value = parse(text);
    if (!isProblem(value)) return value;
    context.addIssue({ code: 'custom', message: value.problem });
    return z.NEVER;
  };
}

const domainName = z.string().transform(parsedBy(parseDomain));

/** A mailbox name in lower case: what stands before the @ (and before a `+tag`). */
const mailboxName = z
  .string()
  .min(1)
  .max(64)
  .transform(parsedBy((text) => parseAddress(`${text}@mailbox.invalid`)))
  .transform(({ localPart }) => nameOf(localPart));

/** Where an alias leads: a mailbox of the same domain by its name, or a whole address. */
const aliasTarget = z
  .string()
  .min(1)
  .refine((text) => !text.includes('@') || !isProblem(parseAddress(text)), {
    error: 'a mailbox of this domain, or a whole address',
  });

/** What a selector is made of: it is a part of a name in the DNS (RFC 6376 §3.1). */
export const selectorPattern = /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/;

const dkimKey = z.strictObject({
  selector: z.string().regex(selectorPattern, 'a DKIM selector: letters, digits, dots, hyphens'),
  privateKey: secretReference,
});

const domain = z.strictObject({
  mailboxes: z.array(mailboxName).default([]),
  // What one alias leads to has to fit into one job (SQS: 1 MiB); a list that is longer leads to lists.
  aliases: z.record(mailboxName, z.array(aliasTarget).min(1).max(1_000)).default({}),
  catchAll: mailboxName.nullable().default(null),
  onDmarcFail: z.enum(['quarantine', 'accept']).default('quarantine'),
  dkim: z.array(dkimKey).default([]),
});

/** One port: what it is for, and where it is bound. */
export const listenerSchema = z.strictObject({
  role: z.enum(['mx', 'submission', 'submissions']),
  host: z.string().default('127.0.0.1'),
  port: z.int().min(0).max(65_535),
});

const user = z.strictObject({
  name: z.string().min(1).max(254),
  password: z
    .string()
    .regex(
      /^(scrypt|stored|secret|file|env):.+$/,
      'a hash made by `pillarbox user add` ("scrypt:…"), or a reference to one',
    )
    .describe('A hash made by `pillarbox user add` (`scrypt:…`), or a reference to it (`secret:user-NAME`).'),
  mayFrom: z.array(z.string().regex(/@/, 'an address or "*@domain"')).min(1),
});

const limits = z.strictObject({
  messageBytes: limit.default(52_428_800),
  recipients: limit.max(1_000).default(100),
  connections: limit.default(1_000),
  connectionsPerIp: limit.default(50),
  messagesPerMinutePerIp: limit.default(600),
  messagesPerMinutePerUser: limit.default(600),
  /** Each recipient of each message counts, over all sessions of the user. */
  recipientsPerMinutePerUser: limit.default(1_000),
  transactionsPerConnection: limit.default(1_000),
  authFailures: limit.default(5),
  /** An hour, of addresses that have not logged in as that user before. */
  authFailuresPerUser: limit.default(30),
  commandBytes: limit.default(4_096),
  idleSeconds: seconds.default(300),
  sessionSeconds: seconds.default(1_800),
  bytesInFlight: limit.default(268_435_456),
  bareLineFeeds: z.enum(['reject', 'accept']).default('reject'),
  hops: limit.default(50),
});

const smarthost = z
  .strictObject({
    host: z.string().min(1),
    port: port.default(587),
    tls: z.enum(['starttls', 'implicit', 'none']).default('starttls'),
    user: z.string().nullable().default(null),
    password: secretReference.nullable().default(null),
  })
  .refine(
    ({ host, tls, user, password }) => tls !== 'none' || (user === null && password === null) || isLoopbackHost(host),
    {
      path: ['tls'],
      error:
        'a password is never sent in clear: "none" goes with a user only where the host is 127.0.0.1, ::1 or localhost',
    },
  );

const delivery = z.strictObject({
  mode: z.enum(['mx', 'smarthost']).default('mx'),
  smarthost: smarthost.nullable().default(null),
  port: port.default(25),
  /** Where MTA-STS policies are fetched (RFC 8461: 443); another one is for trials on one machine. */
  mtaStsPort: port.default(443),
  allowPrivateTargets: z.boolean().default(false),
  /** `verified`: only to a host whose certificate proves its name; `required`: never in clear; `opportunistic`: TLS if it is offered, clear if it is not or its handshake fails. */
  tls: z.enum(['opportunistic', 'required', 'verified']).default('opportunistic'),
  connectionsPerDestination: limit.default(5),
  /** After this no other host is called and no message begun; one that is being sent goes on as long as the host takes it. */
  attemptSeconds: seconds.default(1_800),
  retrySeconds: z.array(seconds).min(1).default([300, 600, 1_200, 2_400, 3_600, 7_200, 14_400]),
  expireSeconds: seconds.default(defaultExpireSeconds),
  delayWarningSeconds: seconds.default(14_400),
});

const dns = z.strictObject({
  /** `address:port` each; empty: those of the machine. */
  servers: z.array(z.string()).default([]),
  /** The deadline for all the questions that judging one message asks. */
  timeoutSeconds: seconds.default(5),
  /**
   * Waits before a message with a `temperror` is judged again; after the last it is recorded as it is. While `servers` answer nobody it
   * waits besides, as long as a message lives. Empty: no mail waits for the DNS.
   */
  temperrorRetrySeconds: z.array(seconds).default([5, 30]),
});

/** The whole file. `mode` `capture`: every recipient is accepted into `inbox/`, nothing is relayed. */
export const configSchema = z
  .strictObject({
    $schema: z.string().optional(),
    mode: z.enum(['serve', 'capture']).default('serve'),
    hostname: domainName.prefault('localhost'),
    chaos: chaosSchema
      .nullable()
      .default(null)
      .describe('Faults on purpose, to try senders out: in mode "capture" alone; null: none. See docs/chaos.md.'),
    listeners: z
      .array(listenerSchema)
      .min(1)
      .describe(
        'The ports of one machine. On AWS the deployment opens the ports, and a file that names them is refused.',
      )
      .prefault([
        { role: 'mx', port: 2525 },
        { role: 'submission', port: 2587 },
        { role: 'submissions', port: 2465 },
      ]),
    tls: z.strictObject({ certificate: secretReference, key: secretReference }).nullable().default(null),
    domains: z.record(domainName, domain.prefault({})).default({}),
    users: z.array(user).default([]),
    limits: limits.prefault({}),
    delivery: delivery.prefault({}),
    dns: dns.prefault({}),
    parse: z.strictObject({ budgetSeconds: seconds.default(10), memoryMiB: limit.default(160) }).prefault({}),
    hooks: z
      .array(hookSchema)
      .default([])
      .describe(
        'Programs that are told of each stored message that fits. On AWS the deployment needs the option hooks.',
      ),
    /** Keys the addresses that forwarded mail bounces to (SRS); null: one is made and kept by the service itself. */
    srsSecret: secretReference.nullable().default(null),
    /** On AWS the options of the deployment with these names hold instead; deployed-problems.ts reports a difference. */
    retention: z
      .strictObject({
        rawDays: limit.optional(),
        inboxDays: limit.optional(),
        deliveriesDays: limit.optional(),
        messagesPerMailbox: limit.optional(),
      })
      .describe(
        'Days that objects are kept on one machine (30, 30, 90), and how many of the newest messages each mailbox keeps (all); on AWS the options of the deployment say the days.',
      )
      .prefault({}),
  })
  .superRefine((config, context) => {
    const refuse = (path: string[], message: string): void => context.addIssue({ code: 'custom', path, message });
    if (config.chaos !== null && config.mode !== 'capture') {
      refuse(['chaos'], 'it refuses and loses mail on purpose, so it goes with "mode": "capture" alone');
    }
    if (config.delivery.mode === 'smarthost' && config.delivery.smarthost === null) {
      refuse(['delivery', 'smarthost'], 'needed, because delivery.mode is "smarthost"');
    }
    for (const [n, { name }] of config.hooks.entries()) {
      if (config.hooks.findIndex((one) => one.name === name) === n) continue;
      refuse(['hooks', String(n), 'name'], `two hooks are called "${name}": give each a name of its own`);
    }
    for (const [name, { mailboxes, catchAll }] of Object.entries(config.domains)) {
      if (catchAll !== null && !mailboxes.includes(catchAll)) {
        refuse(['domains', name, 'catchAll'], `"${catchAll}" is not among the domain's mailboxes`);
      }
    }
  });

/** The configuration, defaults filled in. */
export type Config = Readonly<z.output<typeof configSchema>>;

/** One domain's part of it. */
export type DomainConfig = Config['domains'][Domain];

/** What a file may leave out. */
export type ConfigInput = z.input<typeof configSchema>;

/** The configuration in force; it may change between two calls (S3 object or file edited). Never older than some 30 s. */
export type ConfigSource = { readonly current: () => Promise<Config> };
