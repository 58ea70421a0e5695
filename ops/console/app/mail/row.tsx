// One message in the list.
import { ChevronRight, Paperclip } from 'lucide-preact';
import type { Listed } from '#ops/console/app/shell/api.ts';
import { messageAddress } from '#ops/console/app/shell/router.ts';
import { counted } from '#ops/console/app/text/figures.ts';
import { Sender, Tag, Time, Words } from '#ops/console/app/text/words.tsx';

type RowProps = { readonly message: Listed; readonly isChosen: boolean };

export function Row({ message, isChosen }: RowProps) {
  const { id, from, subject, preview, receivedAt, attachments, mailboxes } = message;
  const isNew = !message.read;
  const others = mailboxes.length - 1;
  return (
    <li class={`row${isNew ? ' new' : ''}`} data-id={id}>
      <a href={messageAddress(id)} aria-current={isChosen ? 'true' : undefined}>
        <span class="un">{isNew && <span class="sr">Unread: </span>}</span>
        <span class="who">
          <Sender from={from} />
          <span class="to">
            <span class="sr"> to </span>
            <ChevronRight aria-hidden="true" size={12} />
            <Words>{mailboxes[0] ?? ''}</Words>
            {others > 0 && ` +${others}`}
          </span>
        </span>
        <Time at={receivedAt} />
        <span class="sub">
          <Words>{subject || '(no subject)'}</Words>
        </span>
        <span class="marks">
          <Marks message={message} />
          {attachments > 0 && (
            <span class="tag plain" title={counted(attachments, 'attachment')}>
              <Paperclip aria-hidden="true" size={12} /> {attachments}
              <span class="sr"> {attachments === 1 ? 'attachment' : 'attachments'}</span>
            </span>
          )}
        </span>
        <span class="snip">
          <Words>{preview}</Words>
        </span>
      </a>
    </li>
  );
}

function Marks({ message: { disposition, authentication, problems, tags } }: { readonly message: Listed }) {
  return (
    <>
      {disposition === 'quarantine' && <Tag tone="bad">quarantine</Tag>}
      {disposition !== 'quarantine' && authentication.dmarc === 'fail' && <Tag tone="bad">DMARC fail</Tag>}
      {problems > 0 && <Tag tone="warn">{counted(problems, 'problem')}</Tag>}
      {tags.map((tag) => (
        <Tag key={tag} tone="info">
          <Words>{tag}</Words>
        </Tag>
      ))}
    </>
  );
}
