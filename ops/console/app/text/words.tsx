// How senders' texts and our own facts stand in a line.
import type { ComponentChildren } from 'preact';
import { visible } from '#ops/content/visible-text.ts';
import { longTime, mediumTime, shortTime } from './figures.ts';
import { fromText, type Named } from './from-text.ts';

/** A sender's text within a line: its writing direction ends with it (HTML §4.5.24). */
export function Words({ children, class: kind }: { readonly children: string; readonly class?: string }) {
  return <bdi class={kind}>{visible(children)}</bdi>;
}

/** An address, always from left to right. */
export function Address({ children }: { readonly children: string }) {
  return (
    <bdi dir="ltr" class="address">
      {visible(children)}
    </bdi>
  );
}

/** Name and address are isolated, so that neither reads as part of the other. */
export function Person({ name, address }: Named) {
  if (name === '') return <Address>{address}</Address>;
  return (
    <span class="person">
      <Words class="name">{name}</Words> <Address>{`<${address}>`}</Address>
    </span>
  );
}

/** As a list has it: the name alone, or the address. */
export function Sender({ from }: { readonly from: string | null }) {
  const { name, address } = fromText(from ?? '(nobody)');
  return name === '' ? <Address>{address}</Address> : <Words>{name}</Words>;
}

const forms = { short: shortTime, medium: mediumTime, long: longTime };

/** Short; its full form is told to whoever asks. */
export function Time({ at, form = 'short' }: { readonly at: string; readonly form?: keyof typeof forms }) {
  return (
    <time dateTime={at} title={longTime(at)}>
      {forms[form](at, new Date())}
    </time>
  );
}

export function Tag({ tone = 'plain', children }: { readonly tone?: string; readonly children: ComponentChildren }) {
  return <span class={`tag ${tone}`}>{children}</span>;
}
