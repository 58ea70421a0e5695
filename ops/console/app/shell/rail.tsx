// The rail: mailboxes, tags and views with their counts, and what the connection is like.
import {
  Activity,
  Inbox,
  ListOrdered,
  type LucideIcon,
  Mailbox,
  Moon,
  Send,
  ShieldAlert,
  Sun,
  SunMoon,
  Tag,
  Zap,
} from 'lucide-preact';
import type { ComponentChildren } from 'preact';
import { quoted } from '#ops/console/app/text/search-words.ts';
import { Words } from '#ops/console/app/text/words.tsx';
import { showHelp } from './help.tsx';
import { chaosWords, connection, health, listenersOf, mailboxes, queues } from './live.ts';
import { addressOf, place, search, searchAddress } from './router.ts';
import { changeScheme, scheme } from './scheme.ts';

const states = {
  connecting: 'Connecting …',
  live: 'Live',
  broken: 'Not connected, trying again …',
  polling: 'Looks for news every 4 s',
} as const;

type LinkProps = {
  readonly Icon: LucideIcon;
  readonly href: string;
  readonly label: string;
  readonly isHere: boolean;
  readonly children?: ComponentChildren;
};

export function Rail() {
  const { mailboxes: boxes, tags, unread } = mailboxes.value;
  const isMail = place.value.view === 'mail' || place.value.view === 'trace';
  const isSearch = (q: string) => isMail && search.value.trim() === q;
  const jobs = queues.value;
  const waiting = jobs.find(({ name }) => name === 'deliver');
  const waits = (waiting?.ready ?? 0) + (waiting?.delayed ?? 0);
  const dead = jobs.reduce((sum, queue) => sum + queue.dead, 0);
  return (
    <nav class="rail" aria-label="Main">
      <a class="brand" href={searchAddress('')}>
        <img src="/icon.svg" alt="" width="24" height="24" />
        <span>Pillarbox</span>
      </a>
      <RailLink Icon={Inbox} href={searchAddress('')} label="All mail" isHere={isSearch('')}>
        {unread > 0 && (
          <b class="hot">
            {unread}
            <span class="sr"> unread</span>
          </b>
        )}
      </RailLink>
      <RailLink
        Icon={ShieldAlert}
        href={searchAddress('verdict:quarantine')}
        label="Quarantine"
        isHere={isSearch('verdict:quarantine')}
      />
      <div class="boxes">
        {boxes.length > 0 && <h2>Mailboxes</h2>}
        {boxes.map(({ name, unread: its }) => {
          const q = `mailbox:${quoted(name)}`;
          return (
            <RailLink key={name} Icon={Mailbox} href={searchAddress(q)} label={name} isHere={isSearch(q)}>
              {its > 0 && (
                <b>
                  {its}
                  <span class="sr"> unread</span>
                </b>
              )}
            </RailLink>
          );
        })}
        {tags.length > 0 && <h2>Tags</h2>}
        {tags.map(({ name, messages }) => {
          const q = `tag:${quoted(name)}`;
          return (
            <RailLink key={name} Icon={Tag} href={searchAddress(q)} label={name} isHere={isSearch(q)}>
              <b>{messages}</b>
            </RailLink>
          );
        })}
      </div>
      <h2>Service</h2>
      <RailLink
        Icon={Send}
        href={addressOf({ view: 'deliveries' })}
        label="Deliveries"
        isHere={place.value.view === 'deliveries'}
      >
        {waits > 0 && <b class="warn">{waits} waiting</b>}
      </RailLink>
      <RailLink
        Icon={ListOrdered}
        href={addressOf({ view: 'queues' })}
        label="Queues"
        isHere={place.value.view === 'queues'}
      >
        {dead > 0 && <b class="bad">{dead} dead</b>}
      </RailLink>
      <RailLink
        Icon={Activity}
        href={addressOf({ view: 'overview' })}
        label="Overview"
        isHere={place.value.view === 'overview'}
      />
      {chaosWords.value !== null && (
        <RailLink Icon={Zap} href={addressOf({ view: 'chaos' })} label="Chaos" isHere={place.value.view === 'chaos'}>
          {chaosWords.value !== 'off' && <b class="warn">on</b>}
        </RailLink>
      )}
      <Foot />
    </nav>
  );
}

function RailLink({ Icon, href, label, isHere, children }: LinkProps) {
  return (
    <a class="nav" href={href} aria-current={isHere ? 'page' : undefined} title={label}>
      <Icon aria-hidden="true" size={17} />
      <span>
        <Words>{label}</Words>
      </span>
      {children}
    </a>
  );
}

function Foot() {
  const report = health.value;
  const tone = connection.value === 'broken' ? 'bad' : report?.status === 'ok' || report === null ? 'good' : 'bad';
  const listeners = listenersOf(report);
  const SchemeIcon = scheme.value === 'auto' ? SunMoon : scheme.value === 'light' ? Sun : Moon;
  return (
    <div class="foot">
      <p id="status" role="status">
        <i class={`dot ${tone}`} /> {states[connection.value]}
      </p>
      {report !== null && report.status !== 'ok' && (
        <p class="bad">
          <Words>{report.problems.join(', ') || report.status}</Words>
        </p>
      )}
      {listeners.map(({ role, text }) => (
        <p key={role}>
          {role === 'mx' ? 'SMTP' : role} <code>{text}</code>
        </p>
      ))}
      <p class="foot-row">
        <button type="button" class="link" onClick={showHelp}>
          Press <kbd>?</kbd> for keys
        </button>
        <button
          type="button"
          class="icon"
          aria-label={`Colours: ${scheme.value}`}
          title={`Colours: ${scheme.value} (d)`}
          onClick={changeScheme}
        >
          <SchemeIcon aria-hidden="true" size={15} />
        </button>
      </p>
    </div>
  );
}
