// The HTML of a message, in a frame in which nothing runs and, until it is asked for, nothing is loaded from elsewhere: at the
// width of a phone, a tablet or the window, light or dark.
import { useSignal } from '@preact/signals';
import { ImageOff, Maximize2, Minimize2, Monitor, Moon, Smartphone, Sun, Tablet, TriangleAlert } from 'lucide-preact';
import { useEffect, useRef } from 'preact/hooks';
import { messagePath } from '#ops/console/app/shell/api.ts';
import { adjust } from '#ops/console/app/shell/router.ts';
import { counted } from '#ops/console/app/text/figures.ts';
import { FileStrip } from './file-strip.tsx';
import { facts, isHtmlAlone, type TabProps } from './message-state.ts';

const widths = [
  { name: 'Phone', width: '375px', Icon: Smartphone },
  { name: 'Tablet', width: '768px', Icon: Tablet },
  { name: 'Desktop', width: '100%', Icon: Monitor },
] as const;
const schemes = [
  { name: 'Light', scheme: 'light', Icon: Sun },
  { name: 'Dark', scheme: 'dark', Icon: Moon },
] as const;

/** Choices hold for the next message, too. */
const chosen = { width: '100%', scheme: 'light' };

export function Html({ message, copy }: TabProps) {
  const width = useSignal(chosen.width);
  const scheme = useSignal(chosen.scheme);
  const isRemoteShown = useSignal(false);
  const frame = useRef<HTMLIFrameElement>(null);
  const misleading = facts.value.links.filter((link) => link.isMisleading).length;
  const path = messagePath(message.id, copy, '/html');
  const source = isRemoteShown.value ? `${path}${path.includes('?') ? '&' : '?'}remote=true` : path;
  useEffect(() => {
    Object.assign(chosen, { width: width.value, scheme: scheme.value });
    if (frame.current === null) return;
    frame.current.style.maxWidth = width.value;
    frame.current.style.colorScheme = scheme.value; // what the message's own media queries go by
  }, [width.value, scheme.value]);
  return (
    <>
      <div class="tools">
        <fieldset class="seg">
          <legend class="sr">Width</legend>
          {widths.map(({ name, width: its, Icon }) => (
            <button
              key={name}
              type="button"
              aria-pressed={its === width.value}
              onClick={() => {
                width.value = its;
              }}
            >
              <Icon aria-hidden="true" size={14} /> <span>{name}</span>
            </button>
          ))}
        </fieldset>
        <fieldset class="seg">
          <legend class="sr">Colours</legend>
          {schemes.map(({ name, scheme: its, Icon }) => (
            <button
              key={name}
              type="button"
              aria-pressed={its === scheme.value}
              onClick={() => {
                scheme.value = its;
              }}
            >
              <Icon aria-hidden="true" size={14} /> <span>{name}</span>
            </button>
          ))}
        </fieldset>
        <button
          type="button"
          class="icon alone"
          aria-pressed={isHtmlAlone.value}
          aria-label="HTML alone in the pane"
          title="HTML alone in the pane (f)"
          onClick={() => {
            isHtmlAlone.value = !isHtmlAlone.value;
          }}
        >
          {isHtmlAlone.value ? <Minimize2 aria-hidden="true" size={15} /> : <Maximize2 aria-hidden="true" size={15} />}
        </button>
        {misleading > 0 && (
          <p class="notice bad">
            <TriangleAlert aria-hidden="true" size={15} />
            <button type="button" class="link" onClick={() => adjust({ tab: 'links' })}>
              {misleading === 1 ? '1 link leads' : `${misleading} links lead`} elsewhere than it says
            </button>
          </p>
        )}
        {facts.value.remote > 0 && !isRemoteShown.value && (
          <p class="notice">
            <ImageOff aria-hidden="true" size={15} /> {counted(facts.value.remote, 'remote item')} blocked.{' '}
            <button
              type="button"
              class="link"
              onClick={() => {
                isRemoteShown.value = true;
              }}
            >
              Show
            </button>
          </p>
        )}
      </div>
      <iframe
        ref={frame}
        class="paper"
        key={source}
        // Links open beside the page; nothing runs.
        sandbox="allow-popups allow-popups-to-escape-sandbox"
        referrerpolicy="no-referrer"
        title="HTML of the message"
        src={source}
      />
      <FileStrip message={message} />
    </>
  );
}
