// What the picture of README.md shows: the page in a real browser, of a real server that got a day's mail.
import assert from 'node:assert/strict';
import { mock } from 'node:test';
import { createTransport } from 'nodemailer';
import { startChromium, type Tab } from '#test/support/peers/chromium.ts';
import { shopMails } from '#test/support/samples/shop-mails.ts';
import { eventually } from '#test/support/worlds/local-service.ts';
import { startMail } from '#testing/start-mail.ts';

export const picture = new URL('../../../docs/console.webp', import.meta.url);
const size = { width: 1_440, height: 900 };

/** Calls `use` with the tab that shows it, and ends server and browser. */
export async function withPictureScene<Answer>(use: (tab: Tab) => Promise<Answer>): Promise<Answer> {
  const now = Date.now();
  mock.timers.enable({ apis: ['Date'], now }); // each message comes when it says
  const mail = await startMail();
  const browser = await startChromium(['--hide-scrollbars']);
  try {
    const transport = createTransport(mail.smtp.url);
    for (const [n, { minutesAgo, files = [], tags = [], read = false, ...message }] of shopMails.entries()) {
      mock.timers.setTime(now - minutesAgo * 60_000);
      await transport.sendMail({ ...message, attachments: [...files] });
      const arrived = await eventually('it is in', async () => {
        const all = await mail.messages();
        return all.length === n + 1 && all[0];
      });
      const path = `${mail.http}/api/messages/${arrived.id}`;
      const post = async (url: string) => assert.ok((await fetch(url, { method: 'POST' })).ok, url);
      if (tags.length > 0) await post(`${path}/tags?tags=${tags.join(',')}`);
      if (read) await post(`${path}/read`);
    }
    mock.timers.setTime(now);
    const opened = (await mail.messages()).find(({ html }) => html !== null);
    const tab = await browser.open('about:blank');
    await tab.send('Emulation.setDeviceMetricsOverride', { ...size, deviceScaleFactor: 1, mobile: false });
    await tab.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: 'light' }] });
    await tab.run(`location.href = ${JSON.stringify(`${mail.http}#/mail/${opened?.id}`)}`);
    await tab.until(`document.querySelectorAll('.row').length === ${shopMails.length}`);
    await tab.until(`document.querySelector('iframe') !== null && !document.body.textContent.includes('Loading …')`);
    await tab.run('new Promise((resolve) => setTimeout(resolve, 1_000))'); // the frame is painted
    return await use(tab);
  } finally {
    mock.timers.reset();
    await browser.close();
    await mail.stop();
  }
}
