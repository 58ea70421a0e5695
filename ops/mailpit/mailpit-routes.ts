// The API of Mailpit (`/api/v1`, `/view/…`) over the same mail, so that its clients work here as they are. It is no part of our own
// API, and described by its own documentation; docs/mailpit.md says what is different.
import type { Route } from '#ops/api/route.ts';
import type { ForeignDeps } from './ask-api.ts';
import {
  mailpitDelete,
  mailpitDeleteFound,
  mailpitDeleteTag,
  mailpitRelease,
  mailpitRenameTag,
  mailpitSend,
  mailpitSetRead,
  mailpitSetTags,
} from './mailpit-changing.ts';
import { mailpitChaos, mailpitSetChaos } from './mailpit-chaos.ts';
import { mailpitHtmlCheck, mailpitLinkCheck, mailpitSpamCheck, mailpitThumbnail } from './mailpit-checks.ts';
import { inMailpitsManner } from './mailpit-manner.ts';
import {
  mailpitHtml,
  mailpitInfo,
  mailpitList,
  mailpitPage,
  mailpitPart,
  mailpitRaw,
  mailpitReady,
  mailpitSearch,
  mailpitShow,
  mailpitShowHeaders,
  mailpitTags,
  mailpitText,
  mailpitWebUi,
} from './mailpit-reading.ts';

const described: readonly Route<ForeignDeps>[] = [
  { at: 'GET /api/v1/info', does: mailpitInfo },
  { at: 'GET /api/v1/webui', does: mailpitWebUi },
  { at: 'GET /api/v1/messages', does: mailpitList },
  { at: 'PUT /api/v1/messages', does: mailpitSetRead },
  { at: 'DELETE /api/v1/messages', does: mailpitDelete },
  { at: 'GET /api/v1/search', does: mailpitSearch },
  { at: 'DELETE /api/v1/search', does: mailpitDeleteFound },
  { at: 'GET /api/v1/message/ID', does: mailpitShow },
  { at: 'GET /api/v1/message/ID/headers', does: mailpitShowHeaders },
  { at: 'GET /api/v1/message/ID/raw', does: mailpitRaw },
  { at: 'GET /api/v1/message/ID/part/PART', does: mailpitPart },
  { at: 'GET /api/v1/message/ID/part/PART/thumb', does: mailpitThumbnail },
  { at: 'GET /api/v1/message/ID/html-check', does: mailpitHtmlCheck },
  { at: 'GET /api/v1/message/ID/link-check', does: mailpitLinkCheck },
  { at: 'GET /api/v1/message/ID/sa-check', does: mailpitSpamCheck },
  { at: 'POST /api/v1/message/ID/release', does: mailpitRelease },
  { at: 'GET /api/v1/tags', does: mailpitTags },
  { at: 'PUT /api/v1/tags', does: mailpitSetTags },
  { at: 'PUT /api/v1/tags/TAG', does: mailpitRenameTag },
  { at: 'DELETE /api/v1/tags/TAG', does: mailpitDeleteTag },
  { at: 'POST /api/v1/send', does: mailpitSend },
  { at: 'GET /api/v1/chaos', does: mailpitChaos },
  { at: 'PUT /api/v1/chaos', does: mailpitSetChaos },
  { at: 'GET /view/ID.html', does: mailpitHtml },
  { at: 'GET /view/ID.txt', does: mailpitText },
  { at: 'GET /view/ID', does: mailpitPage },
  { at: 'GET /livez', does: mailpitReady },
  { at: 'GET /readyz', does: mailpitReady },
];

/** They are answered, and not listed among our own. */
export const mailpitRoutes: readonly Route<ForeignDeps>[] = described.map(inMailpitsManner);
