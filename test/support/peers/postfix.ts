// A Postfix of one's own: its own folder, one port on 127.0.0.1, everything for far.example into one Maildir. Takes bare line
// feeds as line ends (the old default), so that whatever could be smuggled would be.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { findPeer } from './peers.ts';

export type Postfix = {
  readonly port: number;
  /** The messages delivered so far, once there are so many; throws where they do not come in time. */
  readonly messages: (count: number) => Promise<string[]>;
  readonly stop: () => void;
};

const services = `
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
scache unix - - n - 1 scache
`;

/** Starts it; needs to run as root. Throws with Postfix' own words where it does not start. */
export async function startPostfix({
  cert,
  key,
  settings = {},
}: {
  readonly cert: string;
  readonly key: string;
  readonly settings?: Readonly<Record<string, string>>;
}): Promise<Postfix> {
  const folder = mkdtempSync(join(tmpdir(), 'pillarbox-postfix-'));
  const port = await freePort();
  chmodSync(folder, 0o755);
  for (const name of ['queue', 'data', 'mail', 'etc']) mkdirSync(join(folder, name));
  const uid = (name: string) => Number(spawnSync('id', ['-u', name], { encoding: 'utf8' }).stdout);
  chownSync(join(folder, 'data'), uid('postfix'), 0);
  chownSync(join(folder, 'mail'), uid('nobody'), 0);
  writeFileSync(join(folder, 'etc/tls.pem'), `${key}\n${cert}\n`, { mode: 0o600 });
  const main = {
    compatibility_level: '3.6',
    queue_directory: join(folder, 'queue'),
    data_directory: join(folder, 'data'),
    inet_interfaces: '127.0.0.1',
    inet_protocols: 'ipv4',
    myhostname: 'mx.far.example',
    mydestination: '',
    mynetworks: '',
    alias_maps: '',
    maillog_file: join(folder, 'data/log'),
    maillog_file_prefixes: folder,
    virtual_mailbox_domains: 'far.example',
    virtual_mailbox_base: join(folder, 'mail'),
    virtual_mailbox_maps: 'static:box/',
    virtual_uid_maps: `static:${uid('nobody')}`,
    virtual_gid_maps: 'static:65534',
    virtual_minimum_uid: '1',
    smtpd_tls_security_level: 'may',
    smtpd_tls_chain_files: join(folder, 'etc/tls.pem'),
    smtpd_forbid_bare_newline: 'no',
    smtpd_forbid_unauth_pipelining: 'no',
    ...settings,
  };
  writeFileSync(
    join(folder, 'etc/main.cf'),
    Object.entries(main)
      .map(([name, value]) => `${name} = ${value}\n`)
      .join(''),
  );
  writeFileSync(
    join(folder, 'etc/master.cf'),
    `127.0.0.1:${port} inet n - n - - smtpd\npostlog unix-dgram n - n - 1 postlogd\n${services}`,
  );
  const control = (verb: string) =>
    spawnSync(findPeer('postfix')!, ['-c', join(folder, 'etc'), verb], { encoding: 'utf8' });
  const started = control('start');
  if (started.status !== 0) throw new Error(`postfix does not start: ${started.stdout}${started.stderr}`);
  const inbox = join(folder, 'mail/box/new');
  const read = () =>
    existsSync(inbox) ? readdirSync(inbox).map((name) => readFileSync(join(inbox, name), 'latin1')) : [];
  return {
    port,
    messages: async (count) => {
      for (const deadline = Date.now() + 15_000; read().length < count; ) {
        const log = join(folder, 'data/log');
        if (Date.now() > deadline)
          throw new Error(
            `only ${read().length} of ${count} came: ${existsSync(log) ? readFileSync(log, 'utf8').slice(-2_000) : ''}`,
          );
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      return read();
    },
    stop: () => {
      control('stop');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
