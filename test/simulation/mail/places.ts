// The mail world of a simulation: our domain with its mailboxes and aliases, the domains of others, what the DNS says of them, and to
// which places each of our addresses leads.
import type { ConfigInput } from '#pipeline/config/config.ts';
import { type Zone, zoneResolver } from '#test/support/fakes/zone-resolver.ts';

/** Where a message has to come to: a mailbox of ours, or an address elsewhere. */
export type Place = { readonly kind: 'mailbox' | 'remote'; readonly address: string };

export const ourDomain = 'mail.example';
export const listenerIp = '203.0.113.25';

const mailbox = (name: string): Place => ({ kind: 'mailbox', address: `${name}@${ourDomain}` });
const remote = (address: string): Place => ({ kind: 'remote', address });

/** Our addresses, and where each leads. */
export const addresses: Readonly<Record<string, readonly Place[]>> = {
  [`ann@${ourDomain}`]: [mailbox('ann')],
  [`bob@${ourDomain}`]: [mailbox('bob')],
  [`cid+tag@${ourDomain}`]: [mailbox('cid')],
  [`out@${ourDomain}`]: [remote('one@far.example')],
  [`both@${ourDomain}`]: [mailbox('ann'), remote('two@far.example')],
  [`wide@${ourDomain}`]: [remote('three@far.example'), remote('four@near.example')],
  [`unknown@${ourDomain}`]: [remote('nobody@far.example')],
  [`nowhere@${ourDomain}`]: [remote('five@nowhere.example')],
  [`dead@${ourDomain}`]: [remote('six@dead.example')],
};

/** Hosts of other domains, by address. */
export const hosts: Readonly<Record<string, { readonly domain: string; readonly isDead: boolean }>> = {
  '203.0.113.101': { domain: 'far.example', isDead: false },
  '203.0.113.102': { domain: 'far.example', isDead: false },
  '203.0.113.103': { domain: 'near.example', isDead: false },
  '203.0.113.104': { domain: 'sender.example', isDead: false },
  '203.0.113.105': { domain: 'dead.example', isDead: true },
};

export const senders = [
  'alice@sender.example',
  'void@sender.example',
  'stranger@elsewhere.example',
  'ceo@forged.example',
  '',
] as const;

/** Of these the author's domain says that only its own hosts may send, and to reject the rest: they go to quarantine. */
export const isForged = (sender: string): boolean => sender.endsWith('@forged.example');

const zone: Zone = {
  com: { NS: ['a.gtld-servers.example'] },
  'far.example': {
    MX: [
      { exchange: 'mx1.far.example', priority: 10 },
      { exchange: 'mx2.far.example', priority: 20 },
    ],
  },
  'mx1.far.example': { A: ['203.0.113.101'] },
  'mx2.far.example': { A: ['203.0.113.102'] },
  'near.example': { MX: [{ exchange: 'mx.near.example', priority: 10 }] },
  'mx.near.example': { A: ['203.0.113.103'] },
  'sender.example': {
    MX: [{ exchange: 'mx.sender.example', priority: 10 }],
    TXT: ['v=spf1 ip4:198.51.100.0/24 -all'],
  },
  'mx.sender.example': { A: ['203.0.113.104'] },
  'dead.example': { MX: [{ exchange: 'mx.dead.example', priority: 10 }] },
  'mx.dead.example': { A: ['203.0.113.105'] },
  'elsewhere.example': { TXT: ['nothing about mail'] },
  'forged.example': { TXT: ['v=spf1 -all'] },
  '_dmarc.forged.example': { TXT: ['v=DMARC1; p=reject'] },
};

/** What the DNS answers if it does. */
export const askZone = zoneResolver(zone);

/** Our configuration, with the times of a seed. */
export function configOf(delivery: NonNullable<ConfigInput['delivery']>): ConfigInput {
  return {
    hostname: 'mx.mail.example',
    listeners: [{ role: 'mx', host: '0.0.0.0', port: 2525 }],
    domains: {
      [ourDomain]: {
        mailboxes: ['ann', 'bob', 'cid'],
        aliases: {
          out: ['one@far.example'],
          both: ['ann', 'two@far.example'],
          wide: ['three@far.example', 'four@near.example'],
          unknown: ['nobody@far.example'],
          nowhere: ['five@nowhere.example'],
          dead: ['six@dead.example'],
        },
      },
    },
    srsSecret: 'env:SIM_SRS',
    dns: { servers: ['192.0.2.53:53'] },
    delivery,
  };
}
