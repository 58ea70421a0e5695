// `npm run test:console`, too: whether the picture of README.md still shows the page. Both are looked at from afar, in squares of
// 24 pixels, so that a clock, a font or a word of another length does not count, and a part that came, went or moved does.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { peerOptions } from '#test/support/peers/peers.ts';
import { picture, withPictureScene } from './picture-scene.ts';

const columns = 60;
const rows = 38;
/** Of 255. */
const visibly = 12;
/** Of all squares. */
const mostChanged = 0.015;

test(
  'the picture of the README shows the page as it is (else: npm run docs:picture)',
  peerOptions('chromium'),
  async () => {
    const changed: number = await withPictureScene(async (tab) => {
      const { data } = await tab.send('Page.captureScreenshot', { format: 'png' });
      await tab.send('Page.navigate', { url: 'about:blank' });
      await tab.until(`location.href === 'about:blank'`);
      return tab.run(`(async () => {
      const squares = async (source) => {
        const image = new Image();
        image.src = source;
        await image.decode();
        const canvas = Object.assign(document.createElement('canvas'), { width: ${columns}, height: ${rows} });
        const context = canvas.getContext('2d');
        context.imageSmoothingQuality = 'high';
        context.drawImage(image, 0, 0, ${columns}, ${rows});
        return context.getImageData(0, 0, ${columns}, ${rows}).data;
      };
      const then = await squares('data:image/webp;base64,${readFileSync(picture).toString('base64')}');
      const now = await squares('data:image/png;base64,${data}');
      let changed = 0;
      for (let at = 0; at < now.length; at += 4) {
        const most = Math.max(...[0, 1, 2].map((color) => Math.abs(now[at + color] - then[at + color])));
        if (most > ${visibly}) changed += 1;
      }
      return changed;
    })()`);
    });
    assert.ok(changed <= mostChanged * columns * rows, `${changed} of ${columns * rows} squares look different`);
  },
);
