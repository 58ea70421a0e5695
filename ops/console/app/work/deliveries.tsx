// Outbound mail by state, with the reason why each waits, and the suppressed addresses.
import { signal, useSignal } from '@preact/signals';
import { RotateCw, Send, Undo2 } from 'lucide-preact';
import { useEffect } from 'preact/hooks';
import {
  api,
  type Deliveries as DeliveryPage,
  type Failure,
  failureOf,
  type ShownDelivery,
  type Suppressions,
} from '#ops/console/app/shell/api.ts';
import { chaosWords, lookAgain, whenNews } from '#ops/console/app/shell/live.ts';
import { complain, tell } from '#ops/console/app/shell/notices.tsx';
import { addressOf, place } from '#ops/console/app/shell/router.ts';
import { counted } from '#ops/console/app/text/figures.ts';
import { Address, Tag, Time, Words } from '#ops/console/app/text/words.tsx';

const states = ['waiting', 'sending', 'delivered', 'partial', 'bounced'] as const;
export const tones = { waiting: 'warn', sending: 'info', delivered: 'good', partial: 'bad', bounced: 'bad' } as const;
const pageSize = 100;
const maxPageSize = 500;

type Shown = {
  readonly deliveries: readonly ShownDelivery[];
  readonly next: string | null;
  readonly suppressions: Suppressions['suppressions'];
};

const shown = signal<Shown | null>(null);
const failure = signal<Failure | null>(null);

export function Deliveries() {
  const { state } = place.value;
  const count = useSignal(pageSize);
  useEffect(() => {
    const load = () => loadAll(state, count.value);
    void load();
    return whenNews('deliveries', load);
  }, [state, count.value]);
  const now = shown.value;
  return (
    <main class="work-view" aria-busy={now === null}>
      <h1>Deliveries</h1>
      <nav class="chips" aria-label="State">
        <StateLink state={null} chosen={state} />
        {states.map((one) => (
          <StateLink key={one} state={one} chosen={state} />
        ))}
      </nav>
      {failure.value !== null && <p class="bad">{failure.value.message}</p>}
      {now !== null && now.deliveries.length === 0 && (
        <div class="empty">
          <Send aria-hidden="true" size={28} strokeWidth={1.5} />
          <p>{state === null ? 'No mail has gone out.' : `No outbound mail is ${state}.`}</p>
          {state === null && chaosWords.value !== null && <p>A capture server keeps all mail and sends none on.</p>}
        </div>
      )}
      {now !== null && now.deliveries.length > 0 && (
        <table class="work">
          <thead>
            <tr>
              {['Message', 'To', 'State', 'Attempts', 'Next'].map((head) => (
                <th key={head} scope="col">
                  {head}
                </th>
              ))}
              <td />
            </tr>
          </thead>
          <tbody>
            {now.deliveries.map((one) => (
              <Delivery key={`${one.id} ${one.domain}`} {...one} />
            ))}
          </tbody>
        </table>
      )}
      {now?.next != null && (
        <p class="more">
          <button
            type="button"
            class="act"
            onClick={() => {
              count.value = now.deliveries.length + pageSize;
            }}
          >
            Older
          </button>
        </p>
      )}
      <Suppressed suppressions={now?.suppressions ?? []} />
    </main>
  );
}

function StateLink({ state, chosen }: { readonly state: string | null; readonly chosen: string | null }) {
  const isHere = state === chosen;
  return (
    <a
      class={isHere ? 'chip on' : 'chip'}
      aria-current={isHere ? 'true' : undefined}
      href={addressOf({ view: 'deliveries', state })}
    >
      {state ?? 'all'}
    </a>
  );
}

function Delivery({ id, domain, recipients, state, attempts, nextAttemptAt, reason }: ShownDelivery) {
  const retry = (): void => {
    void api(`/api/deliveries/${id}/${encodeURIComponent(domain)}/retry`, 'POST')
      .then(() => {
        tell(`Tried now: ${domain}`);
        lookAgain();
      })
      .catch(complain);
  };
  const [only] = recipients;
  return (
    <tr>
      <td data-label="Message">
        <a class="id" href={addressOf({ view: 'trace', id })}>
          {id}
        </a>
      </td>
      <td data-label="To" title={recipients.join('\n')}>
        {only !== undefined && recipients.length === 1 ? (
          <Address>{only}</Address>
        ) : (
          <Words>{`${recipients.length} at ${domain}`}</Words>
        )}
      </td>
      <td data-label="State">
        <span>
          <Tag tone={tones[state]}>{state}</Tag> {reason !== null && <Words class="soft">{reason}</Words>}
        </span>
      </td>
      <td data-label="Attempts" class="number">
        {attempts}
      </td>
      <td data-label="Next">{nextAttemptAt !== null && <Time at={nextAttemptAt} form="medium" />}</td>
      <td>
        {nextAttemptAt !== null && (
          <button type="button" class="act" onClick={retry}>
            <RotateCw aria-hidden="true" size={14} /> Try now
          </button>
        )}
      </td>
    </tr>
  );
}

function Suppressed({ suppressions }: { readonly suppressions: Suppressions['suppressions'] }) {
  if (suppressions.length === 0) return null;
  return (
    <>
      <h2>Suppressed addresses</h2>
      <p class="soft">
        No mail is sent to {counted(suppressions.length, 'address', 'addresses')}: their hosts refused it for good, or
        an operator put them on this list.
      </p>
      <table class="work">
        <thead>
          <tr>
            {['Address', 'Why', 'For mail from', 'Since', 'Until'].map((head) => (
              <th key={head} scope="col">
                {head}
              </th>
            ))}
            <td />
          </tr>
        </thead>
        <tbody>
          {suppressions.map((one) => (
            <OneSuppressed key={`${one.address} ${one.sender}`} {...one} />
          ))}
        </tbody>
      </table>
    </>
  );
}

type Suppression = Suppressions['suppressions'][number];

function OneSuppressed({ address, sender, since, until, reason }: Suppression) {
  const path = `/api/suppressions/${encodeURIComponent(address)}`;
  const putBack = (): void => {
    const days =
      until === null ? {} : { days: String(Math.max(1, Math.ceil((Date.parse(until) - Date.now()) / 86_400_000))) };
    const query = new URLSearchParams({ sender, reason: reason || 'put back', ...days });
    void api(`${path}?${query}`, 'POST').then(lookAgain).catch(complain);
  };
  const takeOff = (): void => {
    void api(`${path}?${new URLSearchParams({ sender })}`, 'DELETE')
      .then(() => {
        tell(`Mail to ${address} is sent again`, putBack);
        lookAgain();
      })
      .catch(complain);
  };
  return (
    <tr>
      <td data-label="Address">
        <Address>{address}</Address>
      </td>
      <td data-label="Why">
        <Words>{reason}</Words>
      </td>
      <td data-label="For mail from">{sender === '*' ? 'all' : <Words>{sender}</Words>}</td>
      <td data-label="Since">
        <Time at={since} />
      </td>
      <td data-label="Until">{until === null ? 'removed' : <Time at={until} />}</td>
      <td>
        <button type="button" class="act" onClick={takeOff}>
          <Undo2 aria-hidden="true" size={14} /> Write to it again
        </button>
      </td>
    </tr>
  );
}

async function loadAll(state: string | null, count: number): Promise<void> {
  try {
    const [page, { suppressions }] = await Promise.all([
      readDeliveries(state, count),
      api<Suppressions>('/api/suppressions?limit=100'),
    ]);
    if (state !== place.value.state) return;
    shown.value = { ...page, suppressions };
    failure.value = null;
  } catch (thrown) {
    failure.value = failureOf(thrown);
  }
}

async function readDeliveries(state: string | null, count: number): Promise<DeliveryPage> {
  const deliveries: ShownDelivery[] = [];
  let next: string | null = null;
  do {
    const query = new URLSearchParams({ limit: String(Math.min(maxPageSize, count - deliveries.length)) });
    if (state !== null) query.set('state', state);
    if (next !== null) query.set('after', next);
    const page: DeliveryPage = await api(`/api/deliveries?${query}`);
    deliveries.push(...page.deliveries);
    next = page.next;
    if (page.deliveries.length === 0) break;
  } while (next !== null && deliveries.length < count);
  return { deliveries, next };
}
