// Where the page begins.
import { effect } from '@preact/signals';
import { render } from 'preact';
import { answerKeys } from '#ops/console/app/shell/help.tsx';
import { mailboxes, startListening } from '#ops/console/app/shell/live.ts';
import { settleNow } from '#ops/console/app/shell/notices.tsx';
import { followAddress, place } from '#ops/console/app/shell/router.ts';
import { followScheme } from '#ops/console/app/shell/scheme.ts';
import { App } from './app.tsx';
import 'uplot/dist/uPlot.min.css'; // here, or it would be bundled twice
import '#ops/console/app/style/tokens.css';
import '#ops/console/app/style/shell.css';
import '#ops/console/app/style/list.css';
import '#ops/console/app/style/message.css';
import '#ops/console/app/style/work.css';

const root = document.getElementById('app');
if (root !== null) {
  followAddress();
  followScheme();
  if (place.value.view !== 'leave') {
    startListening();
    answerKeys();
    addEventListener('pagehide', settleNow);
    effect(() => {
      const unread = mailboxes.value.unread;
      document.title = unread > 0 ? `(${unread}) Pillarbox` : 'Pillarbox';
    });
  }
  render(<App />, root);
}
