// What can be done to the open message.
import { useSignal } from '@preact/signals';
import {
  ArrowLeft,
  ChevronDown,
  ChevronUp,
  Download,
  Forward,
  Inbox,
  Mail,
  MailOpen,
  RotateCcw,
  Tags,
  Trash2,
} from 'lucide-preact';
import { accept, backToList, remove, replay, setTags, step, toggleRead } from '#ops/console/app/mail/actions.ts';
import { list } from '#ops/console/app/mail/list-state.ts';
import { messagePath } from '#ops/console/app/shell/api.ts';
import type { TabProps } from './message-state.ts';
import { ReleaseSheet } from './release.tsx';
import { Sheet } from './sheet.tsx';

export function BackButton() {
  return (
    <button type="button" class="act back" onClick={backToList}>
      <ArrowLeft aria-hidden="true" size={16} /> <span>Back</span>
    </button>
  );
}

export function Actions({ message, copy }: TabProps) {
  const { id } = message;
  const sheet = useSignal<'tags' | 'replay' | 'release' | null>(null);
  const listed = list.value.messages.find((one) => one.id === id);
  const isRead = listed?.read ?? true;
  const toggle = (name: 'tags' | 'replay' | 'release') => () => {
    sheet.value = sheet.value === name ? null : name;
  };
  return (
    <nav class="acts" aria-label="Message">
      <BackButton />
      <button type="button" class="act icon" title="Next (j)" aria-label="Next message" onClick={() => step(1)}>
        <ChevronDown aria-hidden="true" size={16} />
      </button>
      <button
        type="button"
        class="act icon"
        title="Previous (k)"
        aria-label="Previous message"
        onClick={() => step(-1)}
      >
        <ChevronUp aria-hidden="true" size={16} />
      </button>
      <button type="button" class="act" onClick={() => toggleRead(id)}>
        {isRead ? <Mail aria-hidden="true" size={15} /> : <MailOpen aria-hidden="true" size={15} />}
        <span>{isRead ? 'Unread' : 'Read'}</span>
      </button>
      <button type="button" class="act" aria-expanded={sheet.value === 'tags'} onClick={toggle('tags')}>
        <Tags aria-hidden="true" size={15} /> <span>Tag</span>
      </button>
      <button
        type="button"
        class="act rare"
        title="Replay"
        aria-expanded={sheet.value === 'replay'}
        onClick={toggle('replay')}
      >
        <RotateCcw aria-hidden="true" size={15} /> <span>Replay</span>
      </button>
      <button type="button" class="act" aria-expanded={sheet.value === 'release'} onClick={toggle('release')}>
        <Forward aria-hidden="true" size={15} /> <span>Release</span>
      </button>
      {message.disposition.action === 'quarantine' && (
        <button type="button" class="act" onClick={() => accept(message)}>
          <Inbox aria-hidden="true" size={15} /> <span>Move to inbox</span>
        </button>
      )}
      <a class="act" href={messagePath(id, copy, '/raw')} download>
        <Download aria-hidden="true" size={15} /> <span>Download</span>
      </a>
      <button type="button" class="act danger" title="Delete (#)" onClick={() => remove(id)}>
        <Trash2 aria-hidden="true" size={15} /> <span>Delete</span>
      </button>
      {sheet.value === 'tags' && <TagForm id={id} tags={listed?.tags ?? []} close={toggle('tags')} />}
      {sheet.value === 'replay' && <ReplayForm id={id} close={toggle('replay')} />}
      {sheet.value === 'release' && <ReleaseSheet id={id} close={toggle('release')} />}
    </nav>
  );
}

type FormProps = { readonly id: string; readonly close: () => void };

function TagForm({ id, tags, close }: FormProps & { readonly tags: readonly string[] }) {
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const given = event.target instanceof HTMLFormElement ? String(new FormData(event.target).get('tags')) : '';
    setTags(
      id,
      [
        ...new Set(
          given
            .split(',')
            .map((tag) => tag.trim())
            .filter(Boolean),
        ),
      ],
      tags,
    );
    close();
  };
  return (
    <Sheet submit={submit} close={close}>
      <label>
        Tags, with commas between
        <input name="tags" defaultValue={tags.join(', ')} autocomplete="off" />
      </label>
      <button type="submit" class="act">
        Set tags
      </button>
    </Sheet>
  );
}

function ReplayForm({ id, close }: FormProps) {
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const to = event.target instanceof HTMLFormElement ? String(new FormData(event.target).get('to')).trim() : '';
    void replay(id, to);
    close();
  };
  return (
    <Sheet submit={submit} close={close}>
      <label>
        Judge and parse it once more, into
        <input name="to" type="email" placeholder="the mailboxes it was for" autocomplete="off" />
      </label>
      <button type="submit" class="act">
        Replay
      </button>
    </Sheet>
  );
}
