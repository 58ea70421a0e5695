// The faults that a capture server makes on purpose: to turn on and off, and what was done.
import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { api, type Chaos } from '#ops/console/app/shell/api.ts';
import { lookAgain, whenNews } from '#ops/console/app/shell/live.ts';
import { complain, tell } from '#ops/console/app/shell/notices.tsx';
import { addressOf } from '#ops/console/app/shell/router.ts';
import { Address, Tag, Time, Words } from '#ops/console/app/text/words.tsx';

const chaos = signal<Chaos | null>(null);
const mostShown = 100;
const everyMs = 2_000;

/** To begin with. */
const samples = [
  { words: 'on', about: 'only what an address asks for' },
  { words: 'rcpt-451-10%', about: 'one recipient in ten is deferred' },
  { words: 'slow-5s-data-20%', about: 'one message in five is slow' },
  { words: 'drop-connect-5%', about: 'one connection in twenty is dropped' },
];
const addresses = [
  { address: 'bounce-550@…', about: 'refused for good' },
  { address: 'later-451-twice@…', about: 'deferred twice, then taken' },
  { address: 'slow-10s@…', about: 'answered after 10 s' },
  { address: 'drop@…', about: 'the connection is dropped' },
  { address: 'data-552@…', about: 'refused after its content' },
];

export function ChaosView() {
  useEffect(() => {
    void load();
    return whenNews('chaos', load, everyMs);
  }, []);
  const now = chaos.value;
  return (
    <main class="work-view" aria-busy={now === null}>
      <h1>Chaos</h1>
      <p class="soft">
        Faults on purpose, so that you see what your app does about them: by chance, or for recipients who ask for one
        by their name.
      </p>
      {now !== null && !now.isPossible && <p class="empty">Only a capture server has it.</p>}
      {now?.isPossible === true && <Settings words={now.words} />}
      {now?.isPossible === true && (
        <section class="card">
          <h2>Addresses that ask for a fault, while chaos is on</h2>
          <ul class="chips samples">
            {addresses.map(({ address, about }) => (
              <li key={address}>
                <code>{address}</code> <small>{about}</small>
              </li>
            ))}
          </ul>
        </section>
      )}
      {now !== null && now.recent.length > 0 && <Recent recent={now.recent} />}
    </main>
  );
}

function Settings({ words }: { readonly words: string }) {
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const given = event.target instanceof HTMLFormElement ? String(new FormData(event.target).get('words')) : '';
    set(given.trim() || 'on', words);
  };
  return (
    <section class="card">
      <h2>
        Now <Tag tone={words === 'off' ? 'plain' : 'warn'}>{words}</Tag>
      </h2>
      <form class="words" onSubmit={submit}>
        <label>
          Faults by chance, in words
          <input
            name="words"
            class="filter"
            key={words}
            defaultValue={words === 'off' ? '' : words}
            autocomplete="off"
          />
        </label>
        <button type="submit" class="act">
          Turn on
        </button>
        {words !== 'off' && (
          <button type="button" class="act danger" onClick={() => set('off', words)}>
            Turn off
          </button>
        )}
      </form>
      <ul class="chips samples">
        {samples.map(({ words: its, about }) => (
          <li key={its}>
            <button type="button" class="chip" onClick={() => set(its, words)}>
              {its}
            </button>{' '}
            <small>{about}</small>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Recent({ recent }: { readonly recent: Chaos['recent'] }) {
  return (
    <>
      <h2>What was done</h2>
      <table class="work">
        <thead>
          <tr>
            {['When', 'Stage', 'What', 'Why', 'Recipient', 'Message'].map((head) => (
              <th key={head} scope="col">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {recent.map(({ at, stage, reply, dropped, delaySeconds, why, recipient, id }, n) => (
            <tr key={`${n} ${at}`}>
              <td data-label="When">
                <Time at={at} form="long" />
              </td>
              <td data-label="Stage">{stage}</td>
              <td data-label="What">
                <span>
                  {delaySeconds > 0 && `${delaySeconds} s later `}
                  {dropped ? 'dropped' : reply !== null && <Words>{reply}</Words>}
                </span>
              </td>
              <td data-label="Why">
                <Words>{why}</Words>
              </td>
              <td data-label="Recipient">{recipient !== null && <Address>{recipient}</Address>}</td>
              <td data-label="Message">
                {id !== null && (
                  <a class="id" href={addressOf({ view: 'mail', id, query: { tab: 'timeline' } })}>
                    {id}
                  </a>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

/** `before`: what the notice brings back. */
function set(words: string, before: string): void {
  void api<Chaos>('/api/chaos', 'PUT', words === 'off' ? { settings: null } : { words })
    .then((answer) => {
      chaos.value = { ...answer, recent: chaos.value?.recent ?? [] }; // what was done lately is not in the answer
      tell(answer.words === 'off' ? 'Chaos is off' : `Chaos is on: ${answer.words}`, () => set(before, words));
      lookAgain();
    })
    .catch(complain);
}

async function load(): Promise<void> {
  chaos.value = await api<Chaos>(`/api/chaos?limit=${mostShown}`);
}
