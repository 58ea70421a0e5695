// The attachments: each with its facts, and a preview of what can be shown without running anything.
import { useSignal } from '@preact/signals';
import { Download, Eye, EyeOff } from 'lucide-preact';
import { useEffect, useRef } from 'preact/hooks';
import { type InboxMessage, messagePath } from '#ops/console/app/shell/api.ts';
import { place } from '#ops/console/app/shell/router.ts';
import { readCalendar, timesOf } from '#ops/console/app/text/calendar.ts';
import { size } from '#ops/console/app/text/figures.ts';
import { Words } from '#ops/console/app/text/words.tsx';
import { visible, visibleText } from '#ops/content/visible-text.ts';
import { FileBadge } from './file-strip.tsx';
import { Cut, useLoadedText } from './loaded.tsx';
import type { TabProps } from './message-state.ts';

type File = InboxMessage['attachments'][number];
type Kind = 'picture' | 'pdf' | 'calendar' | 'text' | null;

const maxPictureBytes = 20_971_520;
const maxTextBytes = 262_144;

/** What is only drawn or written, never run. */
function kindOf({ contentType, bytes }: File): Kind {
  if (/^image\/(png|jpe?g|gif|webp|avif|bmp)$/i.test(contentType)) return bytes <= maxPictureBytes ? 'picture' : null;
  if (/^application\/pdf$/i.test(contentType)) return 'pdf';
  if (/^(text\/calendar|application\/ics)$/i.test(contentType)) return 'calendar';
  return /^(text\/|application\/(json|xml|yaml|sql)|message\/)/i.test(contentType) ? 'text' : null;
}

export function Attachments({ message, copy }: TabProps) {
  return (
    <ul class="attachments">
      {message.attachments.map((file, n) => (
        <Attachment
          key={`${n} ${file.key}`}
          file={file}
          path={messagePath(message.id, copy, `/attachments/${n + 1}`)}
          isAskedFor={place.value.query['file'] === String(n + 1)}
        />
      ))}
    </ul>
  );
}

type AttachmentProps = { readonly file: File; readonly path: string; readonly isAskedFor: boolean };

function Attachment({ file, path, isAskedFor }: AttachmentProps) {
  const kind = kindOf(file);
  const isShown = useSignal(kind === 'picture' || kind === 'calendar' || (isAskedFor && kind !== null));
  const { filename, contentType, bytes, sha256, inline } = file;
  const card = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (isAskedFor) card.current?.scrollIntoView({ block: 'nearest' });
  }, [isAskedFor]);
  return (
    <li ref={card} class={isAskedFor ? 'card chosen' : 'card'}>
      <div class="part">
        <FileBadge filename={filename} contentType={contentType} />
        <span>
          <b>
            <Words>{filename}</Words>
          </b>
          <small>
            <Words>{contentType}</Words> · {size(bytes)}
            {inline && ' · in the text'} · <span title={`SHA-256 ${sha256}`}>SHA-256 {sha256.slice(0, 12)}…</span>
          </small>
        </span>
        <span class="acts">
          {kind !== null && (
            <button
              type="button"
              class="act"
              aria-expanded={isShown.value}
              onClick={() => {
                isShown.value = !isShown.value;
              }}
            >
              {isShown.value ? <EyeOff aria-hidden="true" size={15} /> : <Eye aria-hidden="true" size={15} />} Preview
            </button>
          )}
          <a class="act" href={path} download>
            <Download aria-hidden="true" size={15} /> Download
          </a>
        </span>
      </div>
      {isShown.value && <Preview kind={kind} path={path} filename={filename} />}
    </li>
  );
}

type PreviewProps = { readonly kind: Kind; readonly path: string; readonly filename: string };

function Preview({ kind, path, filename }: PreviewProps) {
  switch (kind) {
    case 'picture':
      return <img class="preview" src={path} alt={visible(filename)} loading="lazy" />;
    case 'pdf':
      return (
        <iframe
          class="preview pdf"
          title={`PDF ${filename}`}
          src={`${path}${path.includes('?') ? '&' : '?'}show=true`}
        />
      );
    case 'calendar':
      return <CalendarPreview path={path} />;
    case 'text':
      return <TextPreview path={path} />;
    case null:
      return null;
  }
}

function TextPreview({ path }: { readonly path: string }) {
  const loaded = useLoadedText(path, { maxBytes: maxTextBytes });
  if (loaded === null) return <p class="soft">Loading …</p>;
  return (
    <>
      <pre class="text sheet-text">{visibleText(loaded.text)}</pre>
      <Cut loaded={loaded} href={path} />
    </>
  );
}

function CalendarPreview({ path }: { readonly path: string }) {
  const loaded = useLoadedText(path, { maxBytes: maxTextBytes });
  if (loaded === null) return <p class="soft">Loading …</p>;
  const { method, events } = readCalendar(loaded.text);
  if (events.length === 0) return <pre class="text sheet-text">{visibleText(loaded.text)}</pre>;
  return (
    <>
      {events.map(({ summary, start, end, place: where, repeats, organizer, attendees }, n) => (
        <dl key={`${n} ${start}`} class="calendar">
          <dt>{method === 'REQUEST' ? 'Invitation' : method === 'CANCEL' ? 'Cancelled' : 'Event'}</dt>
          <dd>
            <b>
              <Words>{summary}</Words>
            </b>
          </dd>
          <dt>When</dt>
          <dd>
            <Words>{timesOf({ start, end })}</Words>
            {repeats !== '' && `, ${repeats}`}
          </dd>
          {where !== '' && <dt>Where</dt>}
          {where !== '' && (
            <dd>
              <Words>{where}</Words>
            </dd>
          )}
          {organizer !== '' && <dt>From</dt>}
          {organizer !== '' && (
            <dd>
              <Words>{organizer}</Words>
            </dd>
          )}
          {attendees.length > 0 && <dt>For</dt>}
          {attendees.length > 0 && (
            <dd>
              <Words>{attendees.join(', ')}</Words>
            </dd>
          )}
        </dl>
      ))}
    </>
  );
}
