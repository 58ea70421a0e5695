// The header fields, in order, decoded or as they were written.
import { useSignal } from '@preact/signals';
import { Words } from '#ops/console/app/text/words.tsx';
import type { TabProps } from './message-state.ts';

export function Headers({ message: { headers } }: TabProps) {
  const wanted = useSignal('');
  const isRaw = useSignal(false);
  const words = wanted.value.toLowerCase();
  const shown = headers.filter(({ name, value }) => `${name}: ${value}`.toLowerCase().includes(words));
  return (
    <>
      <div class="tools">
        <input
          type="search"
          class="filter"
          aria-label="Find a header field"
          placeholder="Find a field"
          onInput={(event) => {
            wanted.value = event.currentTarget.value;
          }}
        />
        <label class="check">
          <input
            type="checkbox"
            onChange={(event) => {
              isRaw.value = event.currentTarget.checked;
            }}
          />
          As written
        </label>
      </div>
      <table class="fields">
        <thead class="sr">
          <tr>
            <th scope="col">Field</th>
            <th scope="col">Value</th>
          </tr>
        </thead>
        <tbody>
          {shown.map(({ name, value, raw }, n) => (
            <tr key={`${n} ${name}`}>
              <th scope="row">
                <Words>{name}</Words>
              </th>
              <td class={isRaw.value ? 'mono raw' : undefined}>
                <Words>{isRaw.value ? raw : value}</Words>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {shown.length === 0 && <p class="soft">No field like that.</p>}
    </>
  );
}
