// A whole service that sends: `npm start` with a configuration, dnsmasq as its DNS, hosts of the test's own on loopback
// addresses (one port for all), a user who submits, and mailboxes for bounces.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ConfigInput } from '#pipeline/config/config.ts';
import { freePort } from '#test/support/peers/free-port.ts';
import { type DnsZone, startDns } from '#test/support/peers/peer-dns.ts';
import { rawSmtp, sendRaw } from '#test/support/peers/raw-smtp.ts';
import { type Script, type ScriptedMx, startMx } from '#test/support/peers/scripted-mx.ts';
import { openSesameHash } from '#test/support/samples/password-hashes.ts';
import { temporaryFolder } from './embedded-world.ts';
import { allMessages, eventually, type LocalService, startLocalService } from './local-service.ts';

export const login = { user: 'app@sender.example', password: 'open sesame' };

export type SendingService = LocalService & {
  readonly folder: string;
  /** The port that all mail hosts have. */
  readonly port: number;
  readonly dns: string;
  /** A scripted mail host at a loopback address. */
  readonly host: (ip: string, script?: Script) => Promise<ScriptedMx>;
  /** Submits over TLS with AUTH; the message's id, or the reply that refused it. */
  readonly submit: (mail: Submission) => Promise<string>;
  /** The delivery of a message to a domain (pipeline/contract/records/delivery.ts), null where there is none yet. */
  readonly delivery: (id: string, domain?: string) => Promise<any>;
  /** The same once it is in this state and nothing is left to do about it. */
  readonly whenDelivery: (id: string, state: string, seconds?: number) => Promise<any>;
  /** All that came for a mailbox of sender.example (with or without a tag), as inbox messages, oldest first. */
  readonly inbox: (localPart: string) => Promise<readonly any[]>;
  /** The same once there are so many. */
  readonly whenInbox: (localPart: string, count: number) => Promise<readonly any[]>;
  readonly raw: (id: string) => Promise<Buffer>;
  readonly retry: (id: string, domain: string) => Promise<number>;
  /** Kills it with -9 and starts it again over the same data; the ports are new. */
  readonly restart: () => Promise<SendingService>;
  readonly close: () => Promise<void>;
};

export type Submission = {
  readonly from?: string;
  readonly to: readonly string[];
  readonly content?: string | Buffer;
  readonly mailParameters?: string;
  readonly rcptParameters?: string;
};

export type SendingOptions = {
  readonly zone?: DnsZone;
  readonly config?: ConfigInput;
  readonly port?: number;
  /** Called with the data folder before the first start. */
  readonly prepare?: (dataFolder: string) => Promise<void>;
  readonly environment?: Readonly<Record<string, string>>;
  /** Mailboxes of sender.example besides `app`. */
  readonly mailboxes?: readonly string[];
};

/** Which world the service runs in: `emulator` where a test asks for it in the environment. */
const testedWorld = process.env['PILLARBOX_TEST_WORLD'] ?? 'embedded';

/** Starts all of it. Retries come after a second unless the configuration says otherwise. */
export async function startSending(options: SendingOptions = {}): Promise<SendingService> {
  const folder = temporaryFolder();
  const port = options.port ?? (await freePort());
  const dns = await startDns(options.zone ?? {});
  const hosts: ScriptedMx[] = [];
  const given = options.config ?? {};
  const config: ConfigInput = {
    mode: 'serve',
    hostname: 'mx.sender.example',
    users: [{ name: login.user, password: openSesameHash, mayFrom: ['*@sender.example'] }],
    ...given,
    domains: { 'sender.example': { mailboxes: ['app', ...(options.mailboxes ?? [])] }, ...given.domains },
    limits: {
      connectionsPerIp: 500,
      messagesPerMinutePerIp: 100_000,
      messagesPerMinutePerUser: 100_000,
      ...given.limits,
    },
    delivery: { port, allowPrivateTargets: true, attemptSeconds: 4, retrySeconds: [1], ...given.delivery },
    dns: { servers: [dns.server], timeoutSeconds: 2, ...given.dns },
  };
  const start = async (): Promise<SendingService> => {
    const ends: (() => unknown)[] = [];
    const life = { after: (end: any) => void ends.push(end) };
    const service = await startLocalService(life, {
      folder,
      config,
      args: ['--world', testedWorld],
      environment: options.environment ?? {},
    });
    const endService = async (): Promise<void> => {
      for (const end of ends.splice(0)) await end();
    };
    const running = {
      ...service,
      folder,
      port,
      dns: dns.server,
      host: async (ip: string, script: Script = {}) => {
        const mx = await startMx({ ...script, host: ip }, port);
        hosts.push(mx);
        return mx;
      },
      submit: (mail: Submission) => submit(service.ports.submissions, mail),
      ...reading(service),
      restart: async () => {
        await endService();
        return start();
      },
      close: async () => {
        await endService();
        dns.close();
        await Promise.all(hosts.map((host) => host.close()));
        rmSync(folder, { recursive: true, force: true });
      },
    };
    return running;
  };
  await options.prepare?.(join(folder, 'data'));
  return start().catch((error: unknown) => {
    dns.close();
    throw error;
  });
}

function reading(service: LocalService) {
  const delivery: SendingService['delivery'] = async (id, domain) => {
    const { deliveries } = await service.json(`/api/deliveries?id=${id}`);
    return deliveries.find((one: any) => domain === undefined || one.domain === domain)?.record ?? null;
  };
  const listed = (localPart: string) =>
    allMessages({
      json: (path) => service.json(`${path}&mailbox=${encodeURIComponent(`${localPart}@sender.example`)}`),
    });
  const inbox: SendingService['inbox'] = async (localPart) =>
    Promise.all([...(await listed(localPart))].reverse().map(({ id }) => service.json(`/api/messages/${id}`)));
  return {
    delivery,
    inbox,
    whenDelivery: async (id: string, state: string, seconds = 60) => {
      let last: any = null;
      return eventually(
        `delivery of ${id} is ${state}`,
        async () => {
          last = await delivery(id);
          const isSettled = last?.notices.every(({ outcome }: any) => outcome !== 'owed');
          return last?.state === state && isSettled ? last : null;
        },
        seconds,
      ).catch((error: Error) => {
        throw new Error(`${error.message}; it is ${JSON.stringify(last, null, 1)}`);
      });
    },
    whenInbox: async (localPart: string, count: number) => {
      await eventually(`${count} messages for ${localPart}`, async () => (await listed(localPart)).length >= count);
      return inbox(localPart);
    },
    raw: async (id: string) => Buffer.from(await (await fetch(`${service.http}/api/messages/${id}/raw`)).arrayBuffer()),
    retry: async (id: string, domain: string) =>
      (await fetch(`${service.http}/api/deliveries/${id}/${domain}/retry`, { method: 'POST' })).status,
  };
}

/** One message in one TLS session. */
export async function submit(
  port: number,
  { from = login.user, to, content, mailParameters = '', rcptParameters = '' }: Submission,
): Promise<string> {
  const smtp = await rawSmtp(port, { tls: true });
  await smtp.command('EHLO client.sender.example');
  const said = await smtp.command(`AUTH PLAIN ${Buffer.from(`\0${login.user}\0${login.password}`).toString('base64')}`);
  if (!said.startsWith('235')) throw new Error(`not logged in: ${said}`);
  const text =
    content ?? `From: <${from === '' ? login.user : from}>\r\nTo: ${to.join(', ')}\r\nSubject: hello\r\n\r\nHello.\r\n`;
  const parameters = { mail: mailParameters, rcpt: rcptParameters };
  const reply = await sendRaw(smtp, { from, to, content: Buffer.from(text), parameters });
  smtp.close();
  return /^250 .*\b([0-9A-HJKMNP-TV-Z]{26})\b/.exec(reply)?.[1] ?? reply;
}
