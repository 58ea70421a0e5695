// The requests that are about lists of mail, and what answers each.
import type { MailRows } from '#local/embedded/store/mail-rows.ts';
import type { Answer, Kind, Request } from './requests.ts';

type MailKind = 'messages' | 'summary' | 'mailboxes' | 'indexText' | 'oldest' | 'findMessage' | 'newestKeys' | 'sweep';

export function askMail(mail: MailRows, request: Request<MailKind>): Answer<MailKind> {
  switch (request.kind) {
    case 'messages':
      return mail.search(request);
    case 'summary':
      return mail.summary(request.key);
    case 'mailboxes':
      return mail.mailboxes();
    case 'indexText':
      return mail.indexText(request);
    case 'oldest':
      return mail.oldest(request);
    case 'findMessage':
      return mail.find(request.id);
    case 'newestKeys':
      return mail.newestKeys(request.prefix, request.before, request.limit);
    case 'sweep':
      return mail.sweep(request);
  }
}

/** Whether a request only reads what lists show, or makes what can be made again. */
export function isOfLists(kind: Kind): boolean {
  return ['messages', 'summary', 'mailboxes', 'indexText', 'oldest', 'findMessage'].includes(kind);
}
