// The ops API at a glance: every path, and the use case that answers it. A part of the path in capitals stands for any text.
import { showActivity } from '#ops/activity.ts';
import { putChaos, showChaos } from '#ops/chaos.ts';
import { listDeliveries } from '#ops/deliveries.ts';
import type { MailDeps, ServiceDeps } from '#ops/deps.ts';
import { showHealth, showMetrics } from '#ops/health.ts';
import { checkClients } from '#ops/messages/check-clients.ts';
import { deleteMessage, deleteMessages } from '#ops/messages/delete-messages.ts';
import { listMailboxes } from '#ops/messages/list-mailboxes.ts';
import { listMessages } from '#ops/messages/list-messages.ts';
import { markAllRead, markAllUnread, markRead, markUnread, tagMessage } from '#ops/messages/mark-messages.ts';
import { replayOneMessage } from '#ops/messages/replay-message.ts';
import { showAttachment, showHtml, showMessage, showRaw, showText } from '#ops/messages/show-message.ts';
import { waitForMessage } from '#ops/messages/wait-for-message.ts';
import { listDead, listQueues, purgeDead, redriveDead } from '#ops/queues.ts';
import { acceptMessage } from '#ops/releases/accept-message.ts';
import { releaseMessage, showReleaseRules } from '#ops/releases/release-message.ts';
import { retryOneDelivery } from '#ops/retry-delivery.ts';
import { sendMessage } from '#ops/send/send-message.ts';
import { addSuppression, listSuppressions, removeSuppression } from '#ops/suppressions.ts';
import { traceMessage } from '#ops/trace/trace-message.ts';
import { streamEvents } from './event-stream.ts';
import { describing } from './openapi.ts';
import type { Route } from './route.ts';

/** In any world, also in a deployment on AWS. */
export const mailRoutes: readonly Route<MailDeps>[] = [
  { at: 'GET /api/messages', does: listMessages },
  { at: 'DELETE /api/messages', does: deleteMessages },
  { at: 'GET /api/messages/ID', does: showMessage },
  { at: 'DELETE /api/messages/ID', does: deleteMessage },
  { at: 'POST /api/messages/read', does: markAllRead },
  { at: 'POST /api/messages/unread', does: markAllUnread },
  { at: 'POST /api/messages/ID/read', does: markRead },
  { at: 'POST /api/messages/ID/unread', does: markUnread },
  { at: 'POST /api/messages/ID/tags', does: tagMessage },
  { at: 'GET /api/messages/ID/raw', does: showRaw },
  { at: 'GET /api/messages/ID/text', does: showText },
  { at: 'GET /api/messages/ID/html', does: showHtml },
  { at: 'GET /api/messages/ID/attachments/N', does: showAttachment },
  { at: 'GET /api/messages/ID/trace', does: traceMessage },
  { at: 'POST /api/messages/ID/replay', does: replayOneMessage },
  { at: 'POST /api/messages/ID/release', does: releaseMessage },
  { at: 'POST /api/messages/ID/accept', does: acceptMessage },
  { at: 'GET /api/release', does: showReleaseRules },
  { at: 'GET /api/queues', does: listQueues },
  { at: 'GET /api/queues/NAME/dead', does: listDead },
  { at: 'POST /api/queues/NAME/redrive', does: redriveDead },
  { at: 'POST /api/queues/NAME/purge', does: purgeDead },
  { at: 'GET /api/deliveries', does: listDeliveries },
  { at: 'POST /api/deliveries/ID/DOMAIN/retry', does: retryOneDelivery },
  { at: 'GET /api/suppressions', does: listSuppressions },
  { at: 'POST /api/suppressions/ADDRESS', does: addSuppression },
  { at: 'DELETE /api/suppressions/ADDRESS', does: removeSuppression },
];

/** If the service runs in this process. */
export const serviceRoutes: readonly Route<ServiceDeps>[] = [
  { at: 'GET /health', does: showHealth },
  { at: 'GET /metrics', does: showMetrics },
  { at: 'GET /api/messages/wait', does: waitForMessage }, // before ID, which any text is
  ...mailRoutes,
  { at: 'GET /api/messages/ID/clients', does: checkClients },
  { at: 'POST /api/send', does: sendMessage },
  { at: 'GET /api/mailboxes', does: listMailboxes },
  { at: 'GET /api/activity', does: showActivity },
  { at: 'GET /api/chaos', does: showChaos },
  { at: 'PUT /api/chaos', does: putChaos },
  { at: 'GET /api/events', does: streamEvents },
  { at: 'GET /api/openapi.json', does: describing(() => serviceRoutes) },
];
