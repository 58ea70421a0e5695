// The head of a message: who sent it to whom, whether that is proven, and what can be done to it.
import { useSignal } from '@preact/signals';
import { Download, ShieldAlert, ShieldCheck, ShieldQuestionMark } from 'lucide-preact';
import { list } from '#ops/console/app/mail/list-state.ts';
import { type InboxMessage, messagePath } from '#ops/console/app/shell/api.ts';
import { messageAddress } from '#ops/console/app/shell/router.ts';
import { Few } from '#ops/console/app/text/few.tsx';
import { size } from '#ops/console/app/text/figures.ts';
import { Address, Person, Tag, Time, Words } from '#ops/console/app/text/words.tsx';
import { headline, type Tone } from '#ops/content/verdict-words.ts';
import { Actions, BackButton } from './actions.tsx';
import type { TabProps } from './message-state.ts';

const mostPeople = 3;
const mostCopies = 4;

export function Head({ message, copy }: TabProps) {
  const { from, subject, id } = message;
  const first = from[0];
  return (
    <header class="top">
      <Actions message={message} copy={copy} />
      <h1>
        <Words>{subject || '(no subject)'}</Words> <Tags id={id} />
      </h1>
      <div class="from">
        <span class="av" aria-hidden="true">
          {initial(first?.name || first?.address || '?')}
        </span>
        <span class="author">
          {from.length === 0 && '(nobody)'}
          <Few of={from} most={mostPeople} each={personInLine} />
        </span>
        <Verdict message={message} />
        <Envelope message={message} />
      </div>
      <Copies id={id} message={message} />
    </header>
  );
}

/** For mail that is in no mailbox. */
export function PlainHead({ id }: { readonly id: string }) {
  return (
    <header class="top">
      <nav class="acts" aria-label="Message">
        <BackButton />
        <a class="act" href={messagePath(id, null, '/raw')} download>
          <Download aria-hidden="true" size={15} /> Raw message
        </a>
      </nav>
      <h1>Message {id}</h1>
      <p class="soft">It is in no mailbox here: this is what happened to it.</p>
    </header>
  );
}

function Envelope({
  message: { to, cc, replyTo, receivedAt, envelope, session, raw },
}: {
  readonly message: InboxMessage;
}) {
  const isShown = useSignal(false);
  const client = session.clientName ?? session.clientIp ?? 'this service';
  return (
    <>
      <span class="soft line">
        <People label="to" people={to} /> <People label="cc" people={cc} /> <Time at={receivedAt} form="medium" />{' '}
        <button
          type="button"
          class="link"
          aria-expanded={isShown.value}
          onClick={() => {
            isShown.value = !isShown.value;
          }}
        >
          Envelope
        </button>
      </span>
      {isShown.value && (
        <dl class="soft envelope">
          <dt>Sender</dt>
          <dd>
            <Address>{`<${envelope.reversePath}>`}</Address>
          </dd>
          <dt>Recipient</dt>
          <dd>
            <Address>{`<${envelope.forwardPath}>`}</Address>
          </dd>
          {replyTo.length > 0 && (
            <>
              <dt>Reply to</dt>
              <dd>
                <People label="" people={replyTo} />
              </dd>
            </>
          )}
          <dt>Came from</dt>
          <dd>
            <Words>{client}</Words>
            {session.clientIp !== null && session.clientName !== null && ` [${session.clientIp}]`}
            {session.helo !== null && (
              <>
                , HELO <Words>{session.helo}</Words>
              </>
            )}
            {session.tls === null ? ', no TLS' : `, ${session.tls.version}`}
            {session.user !== null && (
              <>
                , user <Words>{session.user}</Words>
              </>
            )}
          </dd>
          <dt>Size</dt>
          <dd>{size(raw.bytes)}</dd>
        </dl>
      )}
    </>
  );
}

type PeopleProps = { readonly label: string; readonly people: InboxMessage['to'] };

function People({ label, people }: PeopleProps) {
  if (people.length === 0) return null;
  return (
    <span class="people">
      {label} <Few of={people} most={mostPeople} each={personInLine} />
    </span>
  );
}

function personInLine(one: InboxMessage['to'][number], n: number) {
  return (
    <span key={`${n} ${one.address}`}>
      {n > 0 && ', '}
      <Person {...one} />
    </span>
  );
}

function Verdict({ message }: { readonly message: InboxMessage }) {
  const { tone, text, why } = headline(message);
  return (
    <a class={`verdict ${tone}`} href={`${messageAddress(message.id).split('?')[0]}?tab=checks`}>
      <VerdictIcon tone={tone} />
      <span>
        <b>
          <Words>{text}</Words>
        </b>
        <small>
          <Words>{why}</Words>
        </small>
      </span>
    </a>
  );
}

function VerdictIcon({ tone }: { readonly tone: Tone }) {
  const Icon = tone === 'good' ? ShieldCheck : tone === 'bad' ? ShieldAlert : ShieldQuestionMark;
  return <Icon aria-hidden="true" size={18} />;
}

/** Links to the copies of the other mailboxes. */
function Copies({ id, message }: { readonly id: string; readonly message: InboxMessage }) {
  const mine = `${message.mailbox.localPart}@${message.mailbox.domain}`;
  const all = list.value.messages.find((one) => one.id === id)?.mailboxes ?? [mine];
  if (all.length < 2) return null;
  const each = (mailbox: string) => (
    <a
      key={mailbox}
      class="chip"
      aria-current={mailbox === mine ? 'true' : undefined}
      href={messageAddress(id, mailbox)}
    >
      <Words>{mailbox}</Words>
    </a>
  );
  return (
    <p class="copies">
      <Few of={[mine, ...all.filter((mailbox) => mailbox !== mine)]} most={mostCopies} each={each} />
    </p>
  );
}

function Tags({ id }: { readonly id: string }) {
  const tags = list.value.messages.find((one) => one.id === id)?.tags ?? [];
  return (
    <>
      {tags.map((tag) => (
        <Tag key={tag} tone="info">
          <Words>{tag}</Words>
        </Tag>
      ))}
    </>
  );
}

function initial(name: string): string {
  return (/[\p{L}\p{N}]/u.exec(name)?.[0] ?? '?').toUpperCase();
}
