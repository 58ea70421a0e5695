// How well mail programs support the HTML and CSS that the message uses, by the data of caniemail.com.
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { api, type ClientReport, type Failure, failureOf, messagePath } from '#ops/console/app/shell/api.ts';
import { counted } from '#ops/console/app/text/figures.ts';
import type { TabProps } from './message-state.ts';

export function Clients({ message: { id }, copy }: TabProps) {
  const report = useSignal<ClientReport | Failure | null>(null);
  useEffect(() => {
    void api<ClientReport>(messagePath(id, copy, '/clients'))
      .catch(failureOf)
      .then((found) => {
        report.value = found;
      });
  }, [id, copy]);
  const { value: found } = report;
  if (found === null) return <p class="soft">Loading …</p>;
  if ('code' in found) return <p class="bad">{found.message}</p>;
  return (
    <>
      <p class="soft">
        {counted(found.used, 'feature')} of HTML and CSS in this message,{' '}
        {found.features.length === 0 ? 'each supported everywhere' : `${found.features.length} of them not everywhere`}.
        Data:{' '}
        <a href="https://www.caniemail.com/" target="_blank" rel="noopener noreferrer">
          caniemail.com
        </a>
        .
      </p>
      <section class="card">
        <h2>Mail programs</h2>
        <ul class="clients">
          {found.clients.map((client) => (
            <Client key={client.client} {...client} />
          ))}
        </ul>
      </section>
      {found.features.length > 0 && (
        <section class="card">
          <h2>Not supported everywhere</h2>
          {found.features.map((feature) => (
            <Feature key={feature.slug} {...feature} />
          ))}
        </section>
      )}
    </>
  );
}

function Client({ client, supported }: ClientReport['clients'][number]) {
  const percent = Math.round(supported * 100);
  const tone = percent >= 95 ? 'good' : percent >= 80 ? 'warn' : 'bad';
  return (
    <li>
      <span>{client.replace('Desktop Webmail', 'web').replace('Mobile Webmail', 'mobile web')}</span>
      <span class={`meter ${tone}`} aria-hidden="true">
        <i style={{ width: `${percent}%` }} />
      </span>
      <b>{percent} %</b>
    </li>
  );
}

function Feature({ slug, title, lacking, partial }: ClientReport['features'][number]) {
  return (
    <details class="feature">
      <summary>
        <b>{title}</b>
        {lacking.length > 0 && <span class="tag bad">{counted(lacking.length, 'program')} without</span>}
        {partial.length > 0 && <span class="tag warn">{partial.length} in part</span>}
      </summary>
      {lacking.length > 0 && <p>Not in {lacking.join(', ')}.</p>}
      {partial.length > 0 && <p>In part in {partial.join(', ')}.</p>}
      <a href={`https://www.caniemail.com/features/${slug}/`} target="_blank" rel="noopener noreferrer">
        More on caniemail.com
      </a>
    </details>
  );
}
