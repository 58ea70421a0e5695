// A test of a sample app, as its developer writes it: the mail server starts in the run, a mail with attachments goes out by nodemailer,
// and the test looks at what came.

/** Put it into a file of an ES module. */
export const sampleTest = `import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createTransport } from 'nodemailer';
import { startMail } from 'pillarbox/testing';

let mail;
before(async () => {
  mail = await startMail();
});
after(() => mail.stop());

test('an order brings a receipt with the invoice and the date', async () => {
  const ann = mail.mailbox('ann');
  const invoice = Buffer.from('%PDF-1.7 \\0 invoice 4711');
  const event = 'BEGIN:VCALENDAR\\r\\nEND:VCALENDAR\\r\\n';
  await createTransport(mail.smtp.url).sendMail({
    from: '"The shop" <orders@shop.example>',
    to: ann.address,
    subject: 'Your order 4711',
    html: '<p>Thank you. <a href="https://shop.example/orders/4711">Your order</a></p>',
    attachments: [
      { filename: 'invoice 4711.pdf', content: invoice },
      { filename: 'Besuch am Grünen Platz.ics', content: event, contentType: 'text/calendar' },
    ],
  });
  const message = await ann.waitFor({ subject: 'order 4711' });
  const [first, second] = message.attachments;
  assert.deepEqual([first.filename, first.contentType], ['invoice 4711.pdf', 'application/pdf']);
  assert.deepEqual(Buffer.from(first.content), invoice);
  assert.deepEqual([second.filename, second.text()], ['Besuch am Grünen Platz.ics', event]);
  assert.deepEqual(message.links, ['https://shop.example/orders/4711']);
});
`;
