// A day's mail of a shop that does not exist, for the picture of the page: oldest first.

/** `minutesAgo`: when it came. `tags` and `read`: what somebody made of it. */
export type ShopMail = {
  readonly minutesAgo: number;
  readonly from: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html?: string;
  readonly files?: readonly { readonly filename: string; readonly contentType: string; readonly content: string }[];
  readonly tags?: readonly string[];
  readonly read?: boolean;
};

const pdf = '%PDF-1.7\n'.padEnd(48_330);
const shop = 'Nordwind Coffee <hello@nordwind.example>';

export const shopMails: readonly ShopMail[] = [
  {
    minutesAgo: 1_640,
    from: shop,
    to: 'mira.osei@mail.example',
    subject: 'Welcome to Nordwind',
    text: 'Good to have you here, Mira.',
    read: true,
  },
  {
    minutesAgo: 1_505,
    from: 'Parcel Post <track@parcel.example>',
    to: 'orders@nordwind.example',
    subject: 'Collected: 14 parcels',
    text: 'Your driver has collected 14 parcels.',
    read: true,
  },
  {
    minutesAgo: 1_490,
    from: shop,
    to: 'jonas.lind@mail.example',
    subject: 'Your order 10418 is on its way',
    text: 'Hello Jonas, your coffee left the roastery this afternoon.',
    tags: ['shipping'],
    read: true,
  },
  {
    minutesAgo: 412,
    from: 'Lena Brandt <lena.brandt@studio.example>',
    to: 'support@nordwind.example',
    subject: 'Re: Grinder makes a new noise',
    text: 'Thanks for the quick answer! Here is the recording you asked for.',
    files: [{ filename: 'grinder.m4a', contentType: 'audio/mp4', content: 'ftyp'.padEnd(212_480, '\0') }],
    tags: ['support'],
    read: true,
  },
  {
    minutesAgo: 365,
    from: 'Tariq Aziz <tariq@hofcafe.example>',
    to: 'wholesale@nordwind.example',
    subject: 'Tasting on Thursday',
    text: 'Shall we say ten in the morning? The invitation is attached.',
    files: [{ filename: 'tasting.ics', contentType: 'text/calendar', content: 'BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n' }],
    read: true,
  },
  {
    minutesAgo: 248,
    from: shop,
    to: 'sofia.ruiz@mail.example',
    subject: 'Reset your password',
    text: 'Somebody asked for a new password for your account. The link is good for an hour: https://nordwind.example/reset?token=k3v9',
    tags: ['account'],
    read: true,
  },
  {
    minutesAgo: 187,
    from: 'Nordwind Billing <billing@nordwind.example>',
    to: 'accounts@hofcafe.example',
    subject: 'Invoice 2291 for November',
    text: 'Dear Tariq, please find the invoice for November attached.',
    files: [{ filename: 'invoice-2291.pdf', contentType: 'application/pdf', content: pdf }],
    tags: ['billing'],
    read: true,
  },
  {
    minutesAgo: 96,
    from: 'Ines Duarte <ines@mail.example>',
    to: 'support@nordwind.example',
    subject: 'Can I change the address of order 10427?',
    text: 'We have just moved: Rua das Flores 12 instead of 21.',
    tags: ['support'],
  },
  {
    minutesAgo: 74,
    from: shop,
    to: 'noah.becker@mail.example',
    subject: 'Your code is 482 913',
    text: 'Type 482 913 to sign in. The code is good for ten minutes.',
    tags: ['account'],
    read: true,
  },
  {
    minutesAgo: 41,
    from: 'Mail Delivery System <mailer-daemon@mail.example>',
    to: 'hello@nordwind.example',
    subject: 'Undelivered: Your order 10424 is on its way',
    text: 'The address could not be found: 550 5.1.1 No such user here',
  },
  {
    minutesAgo: 18,
    from: shop,
    to: 'ana.petrov@mail.example',
    subject: 'November: three new single origins',
    text: 'Fresh from the roastery.',
  },
  {
    minutesAgo: 4,
    from: shop,
    to: 'mira.osei@mail.example',
    subject: 'Thank you for your order 10431',
    text: 'Thank you, Mira. Your order 10431 comes to 34.30 EUR.',
    html: order(),
    files: [{ filename: 'invoice-10431.pdf', contentType: 'application/pdf', content: pdf }],
    tags: ['orders'],
    read: true,
  },
  {
    minutesAgo: 2,
    from: 'Oskar Nyman <oskar@mail.example>',
    to: 'support@nordwind.example',
    subject: 'Which grind for a moka pot?',
    text: 'I have your Yirgacheffe, and a moka pot since yesterday.',
  },
  {
    minutesAgo: 1,
    from: shop,
    to: 'lucas.meyer@mail.example',
    subject: 'Confirm your address',
    text: 'Welcome, Lucas: https://nordwind.example/confirm?code=771204',
    tags: ['account'],
  },
];

function order(): string {
  const cell = 'padding:14px 0;border-bottom:1px solid #eadfd2;';
  const row = (name: string, about: string, price: string) =>
    `<tr><td style="${cell}"><b>${name}</b><br><span style="color:#7a6a5c;font-size:13px">${about}</span></td>
    <td align="right" valign="top" style="${cell}">${price}</td></tr>`;
  return `<!doctype html><html><body style="margin:0;background:#f6efe7;font-family:Georgia,serif;color:#3b2a1f">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0"><tr><td align="center" style="padding:28px 12px">
<table role="presentation" width="520" cellpadding="0" cellspacing="0" style="max-width:520px;background:#fffdf9;border-radius:14px">
<tr><td style="background:#3b2a1f;color:#f3e3cf;padding:22px 32px;border-radius:14px 14px 0 0;font-size:20px;letter-spacing:3px">NORDWIND COFFEE</td></tr>
<tr><td style="padding:30px 32px 8px"><h1 style="margin:0 0 10px;font-size:26px;font-weight:normal">Thank you, Mira.</h1>
<p style="margin:0;line-height:1.6">Your order <b>10431</b> is being roasted today and leaves us tomorrow morning.</p></td></tr>
<tr><td style="padding:12px 32px"><table role="presentation" width="100%" cellpadding="0" cellspacing="0" style="font-size:15px">
${row('Yirgacheffe Aricha', '250 g, whole beans', '14.90 €')}
${row('Huila Decaf', '250 g, ground for filter', '13.50 €')}
${row('Shipping', 'by bicycle where we can', '5.90 €')}
<tr><td style="padding:14px 0"><b>Total</b></td><td align="right" style="padding:14px 0"><b>34.30 €</b></td></tr></table></td></tr>
<tr><td style="padding:8px 32px 34px"><a href="https://nordwind.example/orders/10431" style="display:inline-block;background:#b5532a;color:#fff;text-decoration:none;padding:12px 26px;border-radius:24px;font-size:15px">Follow your order</a></td></tr>
</table></td></tr></table></body></html>`;
}
