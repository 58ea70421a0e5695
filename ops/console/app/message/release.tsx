// Sends a copy of the open message on to a real address, and tells what became of it.
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import {
  api,
  type Deliveries,
  messagePath,
  type ReleaseAnswer,
  type ReleaseRules,
  type ShownDelivery,
} from '#ops/console/app/shell/api.ts';
import { lookAgain, whenNews } from '#ops/console/app/shell/live.ts';
import { complain, confirm } from '#ops/console/app/shell/notices.tsx';
import { addressOf } from '#ops/console/app/shell/router.ts';
import { Tag, Words } from '#ops/console/app/text/words.tsx';
import { tones } from '#ops/console/app/work/deliveries.tsx';
import { Sheet } from './sheet.tsx';

/** The sheet: whom it may go to, a question, and then its deliveries until they have ended. */
export function ReleaseSheet({ id, close }: { readonly id: string; readonly close: () => void }) {
  const rules = useSignal<ReleaseRules | null>(null);
  const sent = useSignal<ReleaseAnswer | null>(null);
  useEffect(() => {
    void api<ReleaseRules>('/api/release').then((found) => {
      rules.value = found;
    }, complain);
  }, []);
  if (rules.value === null) return <div class="sheet" aria-busy="true" />;
  if (rules.value.to.length === 0) {
    return (
      <Sheet key="not-allowed" close={close}>
        <NotAllowed />
      </Sheet>
    );
  }
  if (sent.value !== null) {
    return (
      <Sheet key="outcome" close={close}>
        <Outcome released={sent.value} />
      </Sheet>
    );
  }
  const { to: allowed } = rules.value;
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const given = event.target instanceof HTMLFormElement ? String(new FormData(event.target).get('to')) : '';
    const to = given.split(',').map((one) => one.trim());
    confirm({
      title: 'Send it on?',
      text: `A copy of this message leaves for ${to.join(', ')}. What has left cannot be taken back.`,
      action: 'Release',
      yes: () => {
        void api<ReleaseAnswer>(messagePath(id, null, '/release'), 'POST', { to }).then((answer) => {
          sent.value = answer;
          lookAgain();
        }, complain);
      },
    });
  };
  return (
    <Sheet key="ask" submit={submit} close={close}>
      <label>
        Send a copy to a real address
        <input name="to" type="email" multiple required list="release-to" autocomplete="off" />
      </label>
      <datalist id="release-to">
        {allowed
          .filter((one) => !one.startsWith('*'))
          .map((one) => (
            <option key={one} value={one} />
          ))}
      </datalist>
      <button type="submit" class="act">
        Release …
      </button>
      <p class="soft note">
        Allowed: <Words>{allowed.join(', ')}</Words>
      </p>
    </Sheet>
  );
}

function NotAllowed() {
  return (
    <p class="note">
      Nothing may be released: this server sends no message on to anybody. To allow it, name addresses in the setting{' '}
      <code>release.to</code> of the configuration.
    </p>
  );
}

function Outcome({ released: { id, to, failed } }: { readonly released: ReleaseAnswer }) {
  const deliveries = useSignal<readonly ShownDelivery[]>([]);
  useEffect(() => {
    const load = async (): Promise<void> => {
      deliveries.value = (await api<Deliveries>(`/api/deliveries?id=${encodeURIComponent(id)}`)).deliveries;
    };
    void load().catch(complain);
    return whenNews('release', load);
  }, [id]);
  return (
    <div class="outcome" role="status">
      <p class="note">
        On its way to <Words>{to.join(', ')}</Words>: <a href={addressOf({ view: 'trace', id })}>what happens to it</a>
      </p>
      {failed.map(({ domain, to: left, reason }) => (
        <p key={domain} class="note" role="alert">
          Not to <Words>{left.join(', ')}</Words>: <Words>{reason}</Words>. Release it to them again.
        </p>
      ))}
      {deliveries.value.map(({ domain, state, reason }) => (
        <p key={domain} class="note">
          <Words>{domain}</Words> <Tag tone={tones[state]}>{state}</Tag>{' '}
          {reason !== null && <Words class="soft">{reason}</Words>}
        </p>
      ))}
    </div>
  );
}
