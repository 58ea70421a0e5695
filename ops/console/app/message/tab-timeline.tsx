// What happened to a message, in order, and where it is now.
import {
  CircleCheck,
  CircleX,
  Forward,
  Inbox,
  Mail,
  ScrollText,
  Send,
  ShieldCheck,
  Undo2,
  Webhook,
  Zap,
} from 'lucide-preact';
import type { Trace } from '#ops/console/app/shell/api.ts';
import { longTime } from '#ops/console/app/text/figures.ts';
import { Words } from '#ops/console/app/text/words.tsx';
import { trace } from './message-state.ts';

type Event = Trace['events'][number];

const icons = {
  fault: Zap,
  received: Mail,
  judged: ShieldCheck,
  landed: Inbox,
  released: Forward,
  attempt: Send,
  bounce: Undo2,
  hook: Webhook,
  'gave-up': CircleX,
  logged: ScrollText,
} satisfies Record<Event['event'], unknown>;

export function Timeline() {
  const now = trace.value;
  if (now === null) return <p class="soft">Loading …</p>;
  return (
    <>
      <ol class="timeline">
        {now.events.map((event, n) => (
          <OneEvent key={`${n} ${event.at}`} event={event} />
        ))}
      </ol>
      <section class="card">
        <h2>Where it is now</h2>
        <ul class="items">
          {now.where.map((where) => (
            <li key={where}>
              <CircleCheck aria-hidden="true" size={14} /> <Words>{where}</Words>
            </li>
          ))}
        </ul>
        {now.notes.map((note) => (
          <p key={note} class="soft">
            <Words>{note}</Words>
          </p>
        ))}
      </section>
    </>
  );
}

function OneEvent({ event: { at, event, text, details } }: { readonly event: Event }) {
  const Icon = icons[event];
  return (
    <li class={`event ${event}`}>
      <time dateTime={at} title={longTime(at)}>
        {new Date(at).toLocaleTimeString([], { hour12: false })}
        <small>.{at.slice(20, 23)}</small>
      </time>
      <span class="mark">
        <Icon aria-hidden="true" size={14} />
      </span>
      <details>
        <summary>
          <Words>{text}</Words>
        </summary>
        <pre>{JSON.stringify(details, null, 2)}</pre>
      </details>
    </li>
  );
}
