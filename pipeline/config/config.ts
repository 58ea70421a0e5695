// `pillarbox.json`: its zod schema with every default. The listener and the functions read the same file; secrets in it are
// references, never values.
import { z } from 'zod';
import { type Domain, mailboxName as nameOf, parseAddress, parseDomain } from '#mail/address/address.ts';
import { isLoopbackHost } from '#mail/address/loopback.ts';
import { isProblem, type Problem } from '#mail/problem.ts';
import { chaosSchema } from '#pipeline/chaos/settings.ts';
import { defaultExpireSeconds } from '#pipeline/contract/retention.ts';
import { hookSchema } from './hook.ts';
import { releaseSchema } from './release.ts';
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
  selector: z
    .string()
    .regex(selectorPattern, 'a DKIM selector: letters, digits, dots, hyphens')
    .describe('The name under `_domainkey` where the public key is published.'),
  privateKey: secretReference.describe('A reference to the private key, PEM.'),
});

const domain = z.strictObject({
  mailboxes: z.array(mailboxName).default([]).describe('The local parts that receive mail; `+tag` is understood.'),
  // What one alias leads to has to fit into one job (SQS: 1 MiB); a list that is longer leads to lists.
  aliases: z
    .record(mailboxName, z.array(aliasTarget).min(1).max(1_000))
    .default({})
    .describe('A local part → at most 1,000 mailboxes of the domain and whole addresses (forwarded with SRS).'),
  catchAll: mailboxName.nullable().default(null).describe('The mailbox for every other local part.'),
  onDmarcFail: z
    .enum(['quarantine', 'accept'])
    .default('quarantine')
    .describe("What happens to mail that fails DMARC where its author's domain asks for more than reports."),
  dkim: z.array(dkimKey).default([]).describe('Keys that sign mail of the domain; made by `pillarbox dkim new`.'),
});

/** One port: what it is for, and where it is bound. */
export const listenerSchema = z.strictObject({
  role: z
    .enum(['mx', 'submission', 'submissions'])
    .describe('Mail from other servers; of users, after STARTTLS; of users, TLS from the first byte.'),
  host: z.string().default('127.0.0.1').describe('The address it is bound to; `0.0.0.0`: all.'),
  port: z.int().min(0).max(65_535).describe('0: any free one.'),
});

const user = z.strictObject({
  name: z.string().min(1).max(254).describe('What the program logs in with.'),
  password: z
    .string()
    .regex(
      /^(scrypt|stored|secret|file|env):.+$/,
      'a hash made by `pillarbox user add` ("scrypt:…"), or a reference to one',
    )
    .describe('A hash made by `pillarbox user add` (`scrypt:…`), or a reference to it (`secret:user-NAME`).'),
  mayFrom: z
    .array(z.string().regex(/@/, 'an address or "*@domain"'))
    .min(1)
    .describe('The sender addresses it may use; `*@domain`: all of a domain.'),
});

const limits = z.strictObject({
  messageBytes: limit.default(52_428_800).describe('The largest message; on AWS 78643200 at most.'),
  recipients: limit.max(1_000).default(100).describe('Recipients of one message.'),
  connections: limit.default(1_000).describe('Connections at once.'),
  connectionsPerIp: limit.default(50).describe('Connections at once from one address.'),
  messagesPerMinutePerIp: limit.default(600).describe('Messages a minute from one address.'),
  messagesPerMinutePerUser: limit.default(600).describe('Messages a minute of one user.'),
  recipientsPerMinutePerUser: limit
    .default(1_000)
    .describe('Each recipient of each message counts, over all sessions and ports (on AWS: of each task).'),
  transactionsPerConnection: limit.default(1_000).describe('Messages over one connection.'),
  authFailures: limit.default(5).describe('Failed log-ins on one connection.'),
  authFailuresPerUser: limit
    .default(30)
    .describe('Failed log-ins an hour under one name, from addresses that have not logged in under it before.'),
  commandBytes: limit.default(4_096).describe('The longest command line.'),
  idleSeconds: seconds.default(300).describe('How long a client may say nothing.'),
  sessionSeconds: seconds.default(1_800).describe('How long a session may last.'),
  bytesInFlight: limit
    .default(268_435_456)
    .describe('Of messages being received, over all sessions; on AWS at most a sixth of the memory of the task.'),
  bareLineFeeds: z.enum(['reject', 'accept']).default('reject').describe('Messages with a CR or LF that stands alone.'),
  hops: limit.default(50).describe('`Received:` fields before a message counts as looping.'),
});

const smarthost = z
  .strictObject({
    host: z.string().min(1).describe('Its name.'),
    port: port.default(587).describe('Its port.'),
    tls: z
      .enum(['starttls', 'implicit', 'none'])
      .default('starttls')
      .describe('`implicit`: from the first byte; `none`: only without a password, or to this machine.'),
    user: z.string().nullable().default(null).describe('What it is logged in with.'),
    password: secretReference.nullable().default(null).describe('A reference to the password.'),
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
  mode: z.enum(['mx', 'smarthost']).default('mx').describe('To the mail hosts of each domain, or all to one relay.'),
  smarthost: smarthost.nullable().default(null).describe('The relay.'),
  port: port.default(25).describe('The port of the mail hosts.'),
  mtaStsPort: port
    .default(443)
    .describe('Where MTA-STS policies are fetched (RFC 8461: 443); another one is for trials on one machine.'),
  allowPrivateTargets: z
    .boolean()
    .default(false)
    .describe('Whether mail goes to loopback, private and link-local addresses too.'),
  tls: z
    .enum(['opportunistic', 'required', 'verified'])
    .default('opportunistic')
    .describe(
      '`verified`: only to a host whose certificate proves its name; `required`: never in clear; `opportunistic`: TLS if it is offered, clear if it is not or its handshake fails.',
    ),
  connectionsPerDestination: limit
    .default(5)
    .describe('Connections to one address of a mail host, or to the relay, of all processes together.'),
  attemptSeconds: seconds
    .default(1_800)
    .describe('After this no other host is called and no message begun; what is being sent goes on.'),
  retrySeconds: z
    .array(seconds)
    .min(1)
    .default([300, 600, 1_200, 2_400, 3_600, 7_200, 14_400])
    .describe('Waits between attempts; the last one is repeated.'),
  expireSeconds: seconds.default(defaultExpireSeconds).describe('When a delivery is given up.'),
  delayWarningSeconds: seconds.default(14_400).describe('When the sender is told of a delay.'),
});

const dns = z.strictObject({
  servers: z
    .array(z.string())
    .default([])
    .describe('`address:port` each; empty: those of the machine. On AWS port 53 alone, and no private address.'),
  timeoutSeconds: seconds
    .default(5)
    .describe(
      'For all questions that judging one message asks; one that needs more than a second waits in the slow lane.',
    ),
  temperrorRetrySeconds: z
    .array(seconds)
    .default([5, 30])
    .describe(
      'Waits before a message with a `temperror` is judged again; after the last it is recorded as it is. While `servers` answer nobody it waits besides, as long as a message lives. Empty: no mail waits for the DNS.',
    ),
});

const parse = z.strictObject({
  budgetSeconds: seconds.default(10).describe('For parsing one message: seconds of a whole processor.'),
  memoryMiB: limit.default(160).describe('For parsing one message: heap.'),
});

const tls = z.strictObject({
  certificate: secretReference.describe('A reference to the chain, PEM.'),
  key: secretReference.describe('A reference to its key, PEM.'),
});

/** Left out: the defaults of the service, or what the deployment says. */
const retention = z
  .strictObject({
    rawDays: limit.optional().describe('Days that bytes as received are kept (30).'),
    inboxDays: limit.optional().describe('Days that messages are kept (30).'),
    deliveriesDays: limit.optional().describe('Days that records of deliveries are kept (90).'),
    messagesPerMailbox: limit
      .optional()
      .describe(
        'How many of the newest messages each mailbox keeps on one machine (all; `--keep N` at the start holds before it). Not on AWS.',
      ),
  })
  .describe(
    'Days that objects are kept on one machine (30, 30, 90), and how many of the newest messages each mailbox keeps (all); on AWS the options of the deployment say the days.',
  );

/** The whole file. `mode` `capture`: every recipient is accepted into `inbox/`, nothing leaves but what a person releases to where `release` allows. */
export const configSchema = z
  .strictObject({
    $schema: z.string().optional().describe('For editors: the JSON Schema of this file.'),
    mode: z
      .enum(['serve', 'capture'])
      .default('serve')
      .describe(
        '`capture`: every recipient is accepted into `inbox/`, nothing is relayed but what a person releases (what runs without a file).',
      ),
    hostname: domainName.prefault('localhost').describe("The server's name in the DNS: greeting, `Received:`, `EHLO`."),
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
    tls: tls.nullable().default(null).describe('The certificate; null: a self-signed one is made.'),
    domains: z
      .record(domainName, domain.prefault({}))
      .default({})
      .describe('The domains that mail is taken for, by name; `pillarbox domain add` adds one.'),
    users: z.array(user).default([]).describe('Who may submit mail; made by `pillarbox user add`.'),
    limits: limits.prefault({}),
    delivery: delivery.prefault({}),
    release: releaseSchema.prefault({}),
    dns: dns.prefault({}),
    parse: parse.prefault({}),
    hooks: z
      .array(hookSchema)
      .default([])
      .describe(
        'Programs that are told of each stored message that fits. On AWS the deployment needs the option hooks.',
      ),
    srsSecret: secretReference
      .nullable()
      .default(null)
      .describe(
        'A reference to what keys the addresses that forwarded mail bounces to (SRS); null: one is made and kept.',
      ),
    /** On AWS the options of the deployment with these names hold instead; deployed-problems.ts reports a difference. */
    retention: retention.prefault({}),
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
