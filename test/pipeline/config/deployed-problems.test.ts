import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConfigInput } from '#pipeline/config/config.ts';
import { deployedProblems, shownProblem } from '#pipeline/config/deployed-problems.ts';
import { parseConfig } from '#pipeline/config/parse-config.ts';
import type { DeployedOptions } from '#pipeline/contract/deployed-options.ts';

const options: DeployedOptions = {
  serviceName: 'pillarbox',
  hostname: 'mx.a.example',
  domains: ['a.example'],
  deliveryMode: 'smarthost',
  smarthost: 'smtp.relay.example',
  smarthostUser: 'app',
  hooks: false,
  taskMemoryMiB: 512,
  rawDays: 30,
  inboxDays: 30,
  deliveriesDays: 90,
};
const relay = { host: 'smtp.relay.example', user: 'app', password: 'secret:smarthost-password' };
const fitting = {
  hostname: 'mx.a.example',
  tls: { certificate: 'secret:tls-certificate', key: 'secret:tls-key' },
  domains: { 'a.example': { mailboxes: ['postmaster'] }, 'later.example': {} },
  delivery: { mode: 'smarthost', smarthost: relay },
} satisfies ConfigInput;

function told(config: ConfigInput, over: Partial<DeployedOptions> = {}): readonly string[] {
  const text = JSON.stringify(config);
  return deployedProblems(text, parseConfig(text, 'it'), { ...options, ...over }).map((one) =>
    shownProblem(one, 'pillarbox'),
  );
}

const rows: readonly {
  title: string;
  config: ConfigInput;
  over?: Partial<DeployedOptions>;
  says: readonly RegExp[];
}[] = [
  { title: 'a file that fits, with a domain of its own', config: fitting, says: [] },
  {
    title: 'listeners, even as the defaults are',
    config: { ...fitting, listeners: [{ role: 'mx', host: '127.0.0.1', port: 2525 }] },
    says: [/^listeners: on AWS the deployment opens the ports/],
  },
  { title: 'no certificate', config: { ...fitting, tls: null }, says: [/^tls: .*self-signed/] },
  {
    title: 'a DNS server of the machine, or of a private network',
    config: { ...fitting, dns: { servers: ['127.0.0.1:53', '[::1]:53', '192.0.2.53:53', '10.0.0.2'] } },
    says: [/^dns\.servers\[0\]: /, /^dns\.servers\[1\]: /, /^dns\.servers\[3\]: /],
  },
  {
    title: 'a DNS server at another port than tasks may call',
    config: {
      ...fitting,
      dns: { servers: ['192.0.2.53', '192.0.2.53:53', '192.0.2.53:5353', '2001:db8::5353', '[2001:db8::1]:853'] },
    },
    says: [
      /^dns\.servers\[2\]: the security group of the listener lets out questions to port 53 alone; name a server/,
      /^dns\.servers\[4\]: /,
    ],
  },
  {
    title: 'messages so large that a batch of them cannot be judged within a run',
    config: { ...fitting, limits: { messageBytes: 78_643_201 } },
    says: [
      /^limits\.messageBytes: a run on AWS ends after 60 s, in which 10 messages are judged at 320 MiB and 18 % of a processor; write 78643200 at most$/,
    ],
  },
  {
    title: 'the largest messages of which a batch can be judged within a run',
    config: { ...fitting, limits: { messageBytes: 78_643_200 } },
    says: [],
  },
  {
    title: 'a relay in a private network',
    config: { ...fitting, delivery: { ...fitting.delivery, smarthost: { ...relay, host: '10.0.0.2' } } },
    over: { smarthost: null },
    says: [/^delivery\.smarthost\.host: no relay is on that address on AWS/],
  },
  {
    title: 'limits beyond those of Lambda and the balancer',
    config: {
      ...fitting,
      limits: { idleSeconds: 1_200, bytesInFlight: 268_435_456 },
      dns: { timeoutSeconds: 60 },
      parse: { budgetSeconds: 12, memoryMiB: 256 },
      delivery: { ...fitting.delivery, attemptSeconds: 3_600 },
    },
    says: [
      /^delivery\.attemptSeconds: .* 900 s/,
      /^dns\.timeoutSeconds: /,
      /^parse\.budgetSeconds: .* 11 s of a processor/,
      /^parse\.memoryMiB: .* 512 MiB/,
      /^limits\.idleSeconds: .* 900 s/,
      /^limits\.bytesInFlight: .* 89478485 at most/,
    ],
  },
  {
    title: 'limits that let no mail in',
    config: {
      ...fitting,
      limits: { commandBytes: 511, messageBytes: 65_535, connections: 9, idleSeconds: 9, sessionSeconds: 59 },
    },
    says: [
      /^limits\.commandBytes: 511 keeps mail out: other servers need 512 at least; write more$/,
      /^limits\.messageBytes: 65535 keeps mail out: .* 65536 /,
      /^limits\.connections: 9 /,
      /^limits\.idleSeconds: 9 /,
      /^limits\.sessionSeconds: 59 /,
    ],
  },
  {
    title: 'limits as low as mail allows',
    config: {
      ...fitting,
      limits: { commandBytes: 512, messageBytes: 65_536, connections: 10, idleSeconds: 10, sessionSeconds: 60 },
    },
    says: [],
  },
  {
    title: 'another name than was deployed',
    config: { ...fitting, hostname: 'mx.b.example' },
    says: [/^hostname: mx\.b\.example here, but deployed with hostname mx\.a\.example;/],
  },
  {
    title: 'a domain of the deployment that is not in the file',
    config: { ...fitting, domains: {} },
    says: [/^domains: the deployment names a\.example, for which no mail is taken here;/],
  },
  {
    title: 'another way out than was deployed',
    config: { ...fitting, delivery: { mode: 'mx' } },
    says: [/^delivery\.mode: mx here, but deployed with deliveryMode smarthost;/],
  },
  {
    title: 'another relay than was deployed, by another user',
    config: {
      ...fitting,
      delivery: { ...fitting.delivery, smarthost: { ...relay, host: 'other.example', user: null } },
    },
    says: [/^delivery\.smarthost\.host: other\.example here/, /^delivery\.smarthost\.user: nothing here/],
  },
  {
    title: 'a relay of its own, where no option names one',
    config: fitting,
    over: { smarthost: null, smarthostUser: null },
    says: [],
  },
  {
    title: 'mail that waits for longer than the bucket keeps it',
    config: { ...fitting, delivery: { ...fitting.delivery, expireSeconds: 30 * 86_400 } },
    says: [/^delivery\.expireSeconds: .*30 days/],
  },
  {
    title: 'other times to keep mail than the bucket has',
    config: { ...fitting, retention: { rawDays: 30, inboxDays: 7 } },
    says: [/^retention\.inboxDays: 7 here, but deployed with inboxDays 30;/],
  },
];

for (const { title, config, over, says } of rows) {
  test(`on AWS ${says.length === 0 ? 'nothing is said of' : 'it is told of'} ${title}`, () => {
    const found = told(config, over);
    assert.equal(found.length, says.length, found.join('\n'));
    for (const [n, pattern] of says.entries()) assert.match(found[n] ?? '', pattern);
  });
}
