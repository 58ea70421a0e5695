// Who sent it, in plain words, with the DNS records that decided; and what was wrong with the message.

import { Tag, Words } from '#ops/console/app/text/words.tsx';
import { type Check, checksOf, headline, type ShownRecord, shown, toneOf } from '#ops/content/verdict-words.ts';
import type { TabProps } from './message-state.ts';

export function Checks({ message }: TabProps) {
  const { authentication, disposition, problems } = message;
  const { tone, text, why } = headline(message);
  return (
    <>
      <section class={`card verdict-card ${tone}`}>
        <h2>
          <Words>{text}</Words>
        </h2>
        <p>
          <Words>{why}</Words>
        </p>
        {disposition.action === 'accept' && disposition.reason !== why && (
          <p class="soft">
            Accepted: <Words>{disposition.reason}</Words>
          </p>
        )}
      </section>
      {checksOf(authentication).map((check, n) => (
        <OneCheck key={`${n} ${check.name}`} check={check} />
      ))}
      {problems.length > 0 && (
        <section class="card">
          <h2>Problems of the message</h2>
          <ul class="items">
            {problems.map(({ code, detail }, n) => (
              <li key={`${n} ${code}`}>
                <Tag tone="warn">{code}</Tag> <Words>{detail}</Words>
              </li>
            ))}
          </ul>
        </section>
      )}
      {authentication.evidence.length > 0 && (
        <details class="card">
          <summary>All {authentication.evidence.length} DNS questions that were asked</summary>
          <Records records={shown(authentication.evidence)} />
        </details>
      )}
    </>
  );
}

function OneCheck({ check: { name, question, result, domain, reason, records } }: { readonly check: Check }) {
  return (
    <section class="card check">
      <h2>
        {name} <Tag tone={toneOf(result)}>{result}</Tag>
        {domain !== null && (
          <small>
            <Words>{domain}</Words>
          </small>
        )}
      </h2>
      <p class="soft">
        <Words>{question}</Words>
      </p>
      <p>
        <Words>{reason}</Words>
      </p>
      <Records records={records} />
    </section>
  );
}

function Records({ records }: { readonly records: readonly ShownRecord[] }) {
  if (records.length === 0) return null;
  return (
    <ul class="records">
      {records.map(({ name, type, text }) => (
        <li key={`${name} ${type}`}>
          <code>
            <Words>{`${name} ${type}`}</Words>
          </code>
          <pre>
            <Words>{text}</Words>
          </pre>
        </li>
      ))}
    </ul>
  );
}
