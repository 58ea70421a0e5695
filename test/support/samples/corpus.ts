// Messages of every kind that programs really send, and some that they should not: the same bytes at every call.
// All lines end in CRLF and no line has a bare CR, LF or a NUL, so that any of them may be sent over SMTP as it is.

/** A message by a name that is fit for a file; bytes as a client would give them to DATA, before dot-stuffing. */
export type CorpusMessage = { readonly name: string; readonly bytes: Uint8Array };

type Part = string | Uint8Array;

const head = (subject: string): string =>
  `From: Alice Example <alice@sender.example>\r\nTo: support@example.test\r\nSubject: ${subject}\r\nDate: Sat, 21 Nov 2026 09:00:00 +0100\r\nMessage-ID: <${subject.replace(/[^a-z0-9]+/gi, '-').slice(0, 40)}@sender.example>\r\n`;
const mime = 'MIME-Version: 1.0\r\n';

/** Text is UTF-8, unless it came as bytes. */
function message(name: string, ...parts: readonly Part[]): CorpusMessage {
  return {
    name,
    bytes: Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'utf8') : part))),
  };
}

function multipart(kind: string, boundary: string, ...parts: readonly string[]): string {
  const opened = parts.map((part) => `--${boundary}\r\n${part}\r\n`).join('');
  return `Content-Type: multipart/${kind}; boundary="${boundary}"\r\n\r\n${opened}--${boundary}--\r\n`;
}

function base64(content: string | Uint8Array): string {
  const text = Buffer.from(content).toString('base64');
  return (text.match(/.{1,76}/g) ?? []).join('\r\n');
}

const plain = (text: string): string => `Content-Type: text/plain; charset=utf-8\r\n\r\n${text}`;
const html = (text: string): string => `Content-Type: text/html; charset=utf-8\r\n\r\n${text}`;
const file = (disposition: string, content = 'the content', type = 'application/octet-stream'): string =>
  `Content-Type: ${type}\r\nContent-Disposition: ${disposition}\r\nContent-Transfer-Encoding: base64\r\n\r\n${base64(content)}`;
/** Bytes that look like chance and are not. */
function noise(length: number, seed: number): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return state >> 16;
  });
}

/** More than a hundred messages. */
export function corpus(): CorpusMessage[] {
  return [
    ...plainMessages(),
    ...charsetMessages(),
    ...headerMessages(),
    ...multipartMessages(),
    ...attachmentMessages(),
    ...specialMessages(),
    ...brokenMessages(),
  ];
}

function plainMessages(): CorpusMessage[] {
  return [
    message('plain', head('plain'), '\r\nHello,\r\n\r\nthis is text.\r\n'),
    message('empty-body', head('empty body'), '\r\n'),
    message('no-body-at-all', head('no body at all')),
    message('no-final-newline', head('no final newline'), '\r\nthe end'),
    message('only-a-subject', 'Subject: alone\r\n\r\nhi\r\n'),
    message('dots', head('dots'), '\r\n.\r\n..\r\n.hidden\r\n...\r\nend.\r\n'.replace('\r\n.\r\n', '\r\n. \r\n')),
    message('leading-dots', head('leading dots'), '\r\n.a\r\n..b\r\n...c\r\n'),
    message('blank-lines', head('blank lines'), `\r\n${'\r\n'.repeat(20)}after\r\n\r\n\r\n`),
    message('trailing-blanks', head('trailing blanks'), '\r\ntext with blanks   \r\nand a tab\t\r\n'),
    message('long-lines', head('long lines'), `\r\n${'word '.repeat(190)}\r\n${'x'.repeat(990)}\r\n`),
    message(
      'eight-bit-utf8',
      head('eight bit'),
      mime,
      'Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGrüße aus Köln: 日本語 🎉\r\n',
    ),
    message('eight-bit-undeclared', head('eight bit undeclared'), '\r\nGrüße ohne Angabe\r\n'),
    message('eight-bit-latin1-undeclared', head('latin1 undeclared'), '\r\nGr', Buffer.from([0xfc, 0xdf]), 'e\r\n'),
    message('signature', head('signature'), '\r\nHello\r\n-- \r\nAlice\r\n'),
    message('from-line-in-body', head('from line'), '\r\nFrom the beginning\r\n>From quoted\r\n'),
    message('big-text', head('big text'), `\r\n${'All work and no play makes Jack a dull boy.\r\n'.repeat(7_000)}`),
    message('just-under-inline', head('just under inline'), `\r\n${`${'y'.repeat(62)}\r\n`.repeat(4_000)}`),
    message(
      'flowed',
      head('flowed'),
      mime,
      'Content-Type: text/plain; format=flowed\r\n\r\nA paragraph that \r\nflows on.\r\n> quoted \r\n> text\r\n',
    ),
    message(
      'flowed-delsp',
      head('flowed delsp'),
      mime,
      'Content-Type: text/plain; format=flowed; delsp=yes\r\n\r\nab \r\ncd\r\n',
    ),
    message(
      'quoted-printable',
      head('quoted printable'),
      mime,
      'Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe, a soft=\r\n break, =3D, blanks   \r\nbroken =ZZ and =\r\n',
    ),
    message(
      'quoted-printable-lower-case',
      head('qp lower'),
      mime,
      'Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: Quoted-Printable\r\n\r\n=c3=a4 =e2=82=ac\r\n',
    ),
    message(
      'base64-text',
      head('base64 text'),
      mime,
      `Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n${base64('Žluťoučký kůň\r\npěl ódy\r\n')}\r\n`,
    ),
    message(
      'base64-dirty',
      head('base64 dirty'),
      mime,
      'Content-Transfer-Encoding: base64\r\n\r\nSGVs*bG8g!\r\n d29y bGQ\r\n',
    ),
    message(
      'unknown-encoding',
      head('unknown encoding'),
      mime,
      'Content-Type: text/plain\r\nContent-Transfer-Encoding: x-rot13\r\n\r\nUryyb\r\n',
    ),
    message(
      'html-only',
      head('html only'),
      mime,
      html('<html><body><p>Only <b>HTML</b></p><script>alert(1)</script></body></html>'),
      '\r\n',
    ),
    message(
      'html-big',
      head('html big'),
      mime,
      html(`<table>${'<tr><td>cell</td></tr>\r\n'.repeat(14_000)}</table>`),
      '\r\n',
    ),
    message(
      'html-hostile',
      head('html hostile'),
      mime,
      html('<img src=x onerror="alert(1)"><svg onload=alert(2)><a href="javascript:alert(3)">x</a>'),
      '\r\n',
    ),
    message('enriched', head('enriched'), mime, 'Content-Type: text/enriched\r\n\r\n<bold>bold</bold>\r\n'),
    message('control-characters', head('control characters'), '\r\nbell \u0007 escape \u001b[31m backspace \b\r\n'),
  ];
}

function charsetMessages(): CorpusMessage[] {
  const samples: readonly [string, readonly number[]][] = [
    ['us-ascii', [0x61, 0x62]],
    ['iso-8859-1', [0xe4, 0xf6, 0xfc, 0xdf]],
    ['iso-8859-2', [0xb1, 0xe6, 0xea]],
    ['iso-8859-5', [0xbf, 0xe0, 0xd8]],
    ['iso-8859-7', [0xe1, 0xe2, 0xe3]],
    ['iso-8859-8-i', [0xf9, 0xec, 0xe5, 0xed]],
    ['iso-8859-9', [0xfe, 0xfd, 0xf0]],
    ['iso-8859-15', [0xa4, 0xbd]],
    ['windows-1250', [0x9a, 0x9e]],
    ['windows-1251', [0xcf, 0xf0, 0xe8]],
    ['windows-1252', [0x80, 0x93, 0x94]],
    ['windows-1256', [0xc7, 0xe1]],
    ['koi8-r', [0xf0, 0xd2, 0xc9]],
    ['koi8-u', [0xa4, 0xa6]],
    ['gb2312', [0xc4, 0xe3, 0xba, 0xc3]],
    ['gbk', [0xc4, 0xe3, 0xba, 0xc3]],
    ['gb18030', [0xc4, 0xe3, 0x81, 0x30, 0x86, 0x30]],
    ['big5', [0xa7, 0x41, 0xa6, 0x6e]],
    ['shift_jis', [0x93, 0xfa, 0x96, 0x7b]],
    ['euc-jp', [0xc6, 0xfc, 0xcb, 0xdc]],
    ['iso-2022-jp', [0x1b, 0x24, 0x42, 0x46, 0x7c, 0x4b, 0x5c, 0x1b, 0x28, 0x42]],
    ['euc-kr', [0xb0, 0xa1, 0xb3, 0xaa]],
    ['ks_c_5601-1987', [0xb0, 0xa1]],
    ['tis-620', [0xca, 0xc7]],
    ['utf-7', [0x2b, 0x41, 0x4f, 0x51, 0x2d]],
    ['x-unknown', [0x61, 0xe4]],
  ];
  const invalid = message(
    'charset-utf8-invalid',
    head('invalid utf8'),
    mime,
    'Content-Type: text/plain; charset=utf-8\r\n\r\nok ',
    Buffer.from([0xff, 0xfe, 0xc3]),
    ' end\r\n',
  );
  return [
    ...samples.map(([charset, bytes]) =>
      message(
        `charset-${charset}`,
        head(charset),
        mime,
        `Content-Type: text/plain; charset="${charset}"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n`,
        [...bytes].map((byte) => `=${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
        '\r\n',
      ),
    ),
    message(
      'charset-utf-16',
      head('utf 16'),
      mime,
      `Content-Type: text/plain; charset=utf-16le\r\nContent-Transfer-Encoding: base64\r\n\r\n${base64(Buffer.from('héllo', 'utf16le'))}\r\n`,
    ),
    invalid,
  ];
}

function headerMessages(): CorpusMessage[] {
  const rest = 'From: a@sender.example\r\n\r\nbody\r\n';
  return [
    message('subject-encoded-b', `Subject: =?utf-8?B?${Buffer.from('Grüße').toString('base64')}?=\r\n${rest}`),
    message('subject-encoded-q', `Subject: =?iso-8859-1?Q?Gr=FC=DFe_aus_K=F6ln?=\r\n${rest}`),
    message('subject-encoded-split', `Subject: =?utf-8?B?w7zD?=\r\n =?utf-8?B?nw==?= end\r\n${rest}`),
    message('subject-encoded-mixed', `Subject: Re: =?koi8-r?B?8NLJ18XU?= and =?utf-8?q?=F0=9F=8E=89?= more\r\n${rest}`),
    message('subject-encoded-broken', `Subject: =?utf-8?B?####?= =?no-such?Q?x?= =?utf-8?Q?=ZZ?= =?utf-8?\r\n${rest}`),
    message('subject-encoded-language', `Subject: =?utf-8*de?Q?sch=C3=B6n?=\r\n${rest}`),
    message('subject-encoded-line-break', `Subject: =?utf-8?Q?one=0D=0ABcc:_evil@example.test?=\r\n${rest}`),
    message('subject-raw-utf8', `Subject: Grüße 日本語\r\n${rest}`),
    message('subject-raw-latin1', 'Subject: Gr', Buffer.from([0xfc, 0xdf]), `e\r\n${rest}`),
    message('subject-huge', `Subject: ${'very long '.repeat(3_000).replace(/(.{70}) /g, '$1\r\n ')}\r\n${rest}`),
    message('subject-empty', `Subject:\r\n${rest}`),
    message('subject-folded', `Subject: one\r\n two\r\n\tthree\r\n${rest}`),
    message(
      'addresses-many-forms',
      'From: "Last, First" <first.last@sender.example>\r\nTo: bare@example.test, <angle@example.test>,\r\n "quoted local"@example.test (a comment (nested)),\r\n =?utf-8?Q?J=C3=B6rg?= <joerg@example.test>\r\nCc: A Group: one@example.test, Two <two@example.test>;, last@example.test\r\nReply-To: Reply Here <reply@sender.example>\r\nSubject: addresses\r\n\r\nbody\r\n',
    ),
    message(
      'addresses-unicode',
      'From: Ünï <jörg@bücher.example>\r\nTo: 用户@例子.example, x@xn--bcher-kva.example\r\nSubject: unicode addresses\r\n\r\nbody\r\n',
    ),
    message(
      'addresses-undisclosed',
      'From: a@sender.example\r\nTo: undisclosed-recipients:;\r\nSubject: undisclosed\r\n\r\nbody\r\n',
    ),
    message(
      'addresses-broken',
      'From: not an address\r\nTo: <>, ,, a@, @b, "open <x@example.test>\r\nSubject: broken addresses\r\n\r\nbody\r\n',
    ),
    message(
      'addresses-route',
      'From: <@relay.example,@two.example:a@sender.example>\r\nSubject: route\r\n\r\nbody\r\n',
    ),
    message('no-from', 'To: support@example.test\r\nSubject: no from\r\n\r\nbody\r\n'),
    message(
      'two-froms',
      'From: a@sender.example\r\nFrom: b@other.example\r\nSubject: one\r\nSubject: two\r\n\r\nbody\r\n',
    ),
    message(
      'dates-obsolete',
      'Date: Fri, 21 Nov 97 09:55:06 EST (a comment)\r\nSubject: old date\r\nFrom: a@sender.example\r\n\r\nbody\r\n',
    ),
    message(
      'date-broken',
      'Date: yesterday, about noon\r\nSubject: broken date\r\nFrom: a@sender.example\r\n\r\nbody\r\n',
    ),
    message(
      'threading',
      'From: a@sender.example\r\nMessage-ID: <c@sender.example>\r\nIn-Reply-To: <b@example.test> (Bob)\r\nReferences: <a@sender.example>\r\n <b@example.test>\r\nSubject: Re: thread\r\n\r\nbody\r\n',
    ),
    message(
      'message-id-broken',
      'From: a@sender.example\r\nMessage-ID: no brackets\r\nReferences: x y <z@example.test\r\nSubject: ids\r\n\r\nbody\r\n',
    ),
    message(
      'mailing-list',
      'From: a@sender.example\r\nTo: list@lists.example\r\nSender: list-bounces@lists.example\r\nList-Id: A List <list.lists.example>\r\nList-Unsubscribe: <mailto:leave@lists.example>, <https://lists.example/leave>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nPrecedence: list\r\nSubject: [list] hello\r\n\r\nbody\r\n_______________\r\nlist mailing list\r\n',
    ),
    message(
      'many-received',
      `${Array.from({ length: 40 }, (_, n) => `Received: from h${n}.example by h${n + 1}.example; Sat, 21 Nov 2026 08:00:00 +0000\r\n`).join('')}Subject: many hops\r\n${rest}`,
    ),
    message(
      'odd-field-names',
      'X_Under.Score!#$: yes\r\nx-lower: 1\r\nX-UPPER : blank before the colon\r\nX-Empty:\r\n__proto__: polluted\r\nconstructor: polluted\r\nSubject: odd fields\r\nFrom: a@sender.example\r\n\r\nbody\r\n',
    ),
    message('header-only-folds', 'Subject: folds\r\n \r\n \r\n\t\r\nFrom: a@sender.example\r\n\r\nbody\r\n'),
    message(
      'resent',
      'Resent-From: r@sender.example\r\nResent-To: x@example.test\r\nFrom: a@sender.example\r\nSubject: resent\r\n\r\nbody\r\n',
    ),
  ];
}

function multipartMessages(): CorpusMessage[] {
  const both = multipart('alternative', 'alt', plain('text'), html('<p>html</p>'));
  const image = `Content-Type: image/png\r\nContent-ID: <logo@sender.example>\r\nContent-Disposition: inline; filename=logo.png\r\nContent-Transfer-Encoding: base64\r\n\r\n${base64(noise(300, 1))}`;
  return [
    message('alternative', head('alternative'), mime, both),
    message(
      'alternative-three',
      head('alternative three'),
      mime,
      multipart(
        'alternative',
        'a',
        plain('text'),
        html('<p>html</p>'),
        'Content-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR\r\nEND:VCALENDAR',
      ),
    ),
    message(
      'related',
      head('related'),
      mime,
      multipart('related', 'rel', html('<img src="cid:logo@sender.example">'), image),
    ),
    message(
      'related-in-alternative',
      head('related in alternative'),
      mime,
      multipart(
        'alternative',
        'a',
        plain('text'),
        multipart('related', 'r', html('<img src="cid:logo@sender.example">'), image),
      ),
    ),
    message('mixed', head('mixed'), mime, multipart('mixed', 'm', both, file('attachment; filename=a.bin'))),
    message(
      'mixed-text-after',
      head('mixed text after'),
      mime,
      multipart('mixed', 'm', plain('before'), file('attachment; filename=a.bin'), plain('after')),
    ),
    message(
      'mixed-text-and-html',
      head('mixed text and html'),
      mime,
      multipart('mixed', 'm', plain('text'), html('<p>html</p>')),
    ),
    message(
      'nested-ten',
      head('nested ten'),
      mime,
      Array.from({ length: 10 }, (_, n) => n).reduceRight(
        (inner, n) => multipart('mixed', `b${n}`, inner),
        plain('deep'),
      ),
    ),
    message(
      'preamble-epilogue',
      head('preamble'),
      mime,
      'Content-Type: multipart/mixed; boundary=b\r\n\r\nThis is the preamble.\r\n--b\r\n\r\ninside\r\n--b--\r\nThis is the epilogue.\r\n',
    ),
    message('boundary-odd', head('odd boundary'), mime, multipart('mixed', "a b'()+_,-./:=?z", plain('odd'))),
    message('boundary-70', head('long boundary'), mime, multipart('mixed', 'x'.repeat(70), plain('long'))),
    message(
      'boundary-prefix',
      head('boundary prefix'),
      mime,
      multipart('mixed', 'b', plain('--bb\r\n--b-not\r\n -- b'), multipart('mixed', 'bb', plain('inner'))),
    ),
    message(
      'boundary-unclosed',
      head('unclosed'),
      mime,
      'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nnever closed\r\n',
    ),
    message('part-empty', head('empty part'), mime, multipart('mixed', 'b', '', plain('after the empty one'))),
    message(
      'part-no-header',
      head('part no header'),
      mime,
      'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nno header here\r\n--b--\r\n',
    ),
    message(
      'digest',
      head('digest'),
      mime,
      multipart(
        'digest',
        'd',
        'Content-Type: message/rfc822\r\n\r\nSubject: first\r\n\r\none',
        'Content-Type: message/rfc822\r\n\r\nSubject: second\r\n\r\ntwo',
      ),
    ),
    message('parallel', head('parallel'), mime, multipart('parallel', 'p', plain('one'), plain('two'))),
    message(
      'forwarded',
      head('forwarded'),
      mime,
      multipart(
        'mixed',
        'f',
        plain('see below'),
        `Content-Type: message/rfc822\r\nContent-Disposition: inline\r\n\r\n${head('inner')}\r\ninner body`,
      ),
    ),
    message(
      'forwarded-root',
      head('forwarded root'),
      mime,
      `Content-Type: message/rfc822\r\n\r\n${head('inner root')}\r\ninner body\r\n`,
    ),
    message(
      'forwarded-base64',
      head('forwarded base64'),
      mime,
      multipart('mixed', 'f', file('attachment; filename=mail.eml', `${head('inner')}\r\nbody\r\n`, 'message/rfc822')),
    ),
    message(
      'calendar',
      head('calendar'),
      mime,
      multipart(
        'mixed',
        'c',
        plain('invitation'),
        `Content-Type: text/calendar; charset=utf-8; method=REQUEST\r\n\r\nBEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR`,
      ),
    ),
    message(
      'dsn',
      head('dsn'),
      mime,
      multipart(
        'report; report-type=delivery-status',
        'r',
        plain('It could not be delivered.'),
        'Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\nFinal-Recipient: rfc822; x@example.test\r\nAction: failed\r\nStatus: 5.1.1',
        'Content-Type: text/rfc822-headers\r\n\r\nSubject: original',
      ),
    ),
    message(
      'mdn',
      head('mdn'),
      mime,
      multipart(
        'report; report-type=disposition-notification',
        'r',
        plain('It was read.'),
        'Content-Type: message/disposition-notification\r\n\r\nFinal-Recipient: rfc822; x@example.test\r\nDisposition: manual-action/MDN-sent-manually; displayed',
      ),
    ),
    message(
      'pgp-signed',
      head('pgp signed'),
      mime,
      multipart(
        'signed; micalg=pgp-sha256; protocol="application/pgp-signature"',
        's',
        plain('signed text'),
        'Content-Type: application/pgp-signature; name=signature.asc\r\n\r\n-----BEGIN PGP SIGNATURE-----\r\n\r\niQ==\r\n-----END PGP SIGNATURE-----',
      ),
    ),
    message(
      'pgp-encrypted',
      head('pgp encrypted'),
      mime,
      multipart(
        'encrypted; protocol="application/pgp-encrypted"',
        'e',
        'Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1',
        'Content-Type: application/octet-stream; name=encrypted.asc\r\n\r\n-----BEGIN PGP MESSAGE-----',
      ),
    ),
    message(
      'smime-signed',
      head('smime signed'),
      mime,
      multipart(
        'signed; micalg=sha-256; protocol="application/pkcs7-signature"',
        's',
        plain('signed text'),
        file('attachment; filename=smime.p7s', 'signature', 'application/pkcs7-signature'),
      ),
    ),
    message(
      'smime-opaque',
      head('smime opaque'),
      mime,
      file('attachment; filename=smime.p7m', 'opaque', 'application/pkcs7-mime; smime-type=signed-data'),
      '\r\n',
    ),
    message(
      'tnef',
      head('tnef'),
      mime,
      multipart('mixed', 't', plain('text'), file('attachment; filename=winmail.dat', 'tnef', 'application/ms-tnef')),
    ),
  ];
}

function attachmentMessages(): CorpusMessage[] {
  const withFile = (name: string, disposition: string, type?: string): CorpusMessage =>
    message(name, head(name), mime, multipart('mixed', 'm', plain('see the file'), file(disposition, 'content', type)));
  return [
    withFile('file-plain-name', 'attachment; filename=report.pdf', 'application/pdf'),
    withFile('file-quoted-name', 'attachment; filename="a \\"quoted\\" name.txt"'),
    withFile('file-rfc2231', "attachment; filename*=utf-8''na%C3%AFve%20caf%C3%A9.txt"),
    withFile(
      'file-rfc2231-continued',
      "attachment; filename*0*=utf-8''%E6%97%A5; filename*1*=%E6%9C%AC; filename*2=.txt",
    ),
    withFile('file-rfc2231-latin1', "attachment; filename*=iso-8859-1'de'%FCber.txt"),
    withFile('file-encoded-word', 'attachment; filename="=?utf-8?B?w7xiZXI=?=.txt"'),
    withFile('file-raw-utf8', 'attachment; filename="日本.txt"'),
    withFile('file-name-in-type', 'attachment', 'application/pdf; name=from-type.pdf'),
    withFile('file-no-name', 'attachment', 'application/pdf'),
    withFile('file-hostile-path', 'attachment; filename="../../etc/passwd"'),
    withFile('file-hostile-windows', 'attachment; filename="C:\\\\Windows\\\\con.exe"'),
    withFile('file-hostile-direction', "attachment; filename*=utf-8''invoice%E2%80%AEfdp.exe"),
    withFile('file-hostile-nul', "attachment; filename*=utf-8''a%00b%0D%0Ac.txt"),
    withFile('file-hostile-dots', 'attachment; filename="..."'),
    withFile('file-hostile-long', `attachment; filename="${'long'.repeat(200)}.txt"`),
    withFile('file-type-broken', 'attachment; filename=x.bin', 'not a type'),
    withFile('file-disposition-odd', 'form-data; name=x; filename=odd.txt', 'text/plain'),
    withFile('file-text-attached', 'attachment; filename=notes.txt', 'text/plain; charset=utf-8'),
    message(
      'file-empty',
      head('empty file'),
      mime,
      multipart(
        'mixed',
        'm',
        plain('x'),
        'Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=empty\r\n\r\n',
      ),
    ),
    message(
      'file-binary',
      head('binary file'),
      mime,
      multipart(
        'mixed',
        'm',
        plain('x'),
        `Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=noise.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n${base64(noise(50_000, 7))}`,
      ),
    ),
    message(
      'file-big',
      head('big file'),
      mime,
      multipart(
        'mixed',
        'm',
        plain('x'),
        `Content-Type: application/zip\r\nContent-Disposition: attachment; filename=big.zip\r\nContent-Transfer-Encoding: base64\r\n\r\n${base64(noise(1_500_000, 9))}`,
      ),
    ),
    message(
      'file-root',
      head('root file'),
      mime,
      file('attachment; filename=root.pdf', 'pdf', 'application/pdf'),
      '\r\n',
    ),
    message(
      'file-quoted-printable',
      head('qp file'),
      mime,
      multipart(
        'mixed',
        'm',
        plain('x'),
        'Content-Type: text/csv\r\nContent-Disposition: attachment; filename=a.csv\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\na;b=0D=0A=FF',
      ),
    ),
    message(
      'files-thirty',
      head('thirty files'),
      mime,
      multipart(
        'mixed',
        'm',
        plain('x'),
        ...Array.from({ length: 30 }, (_, n) => file(`attachment; filename=f${n}.txt`, `content ${n}`)),
      ),
    ),
    message(
      'files-same-name',
      head('same name'),
      mime,
      multipart('mixed', 'm', file('attachment; filename=a.txt', 'one'), file('attachment; filename=a.txt', 'two')),
    ),
  ];
}

function specialMessages(): CorpusMessage[] {
  return [
    message('uuencode', head('uuencode'), '\r\nbegin 644 hello.txt\r\n&:&5L;&\\*\r\n`\r\nend\r\n'),
    message(
      'yenc',
      head('yenc'),
      '\r\n=ybegin line=128 size=5 name=x.bin\r\n',
      Buffer.from([0x92, 0x8f, 0x96, 0x96, 0x99]),
      '\r\n=yend size=5\r\n',
    ),
    message(
      'patch',
      head('patch'),
      '\r\n---\r\n a | 2 +-\r\n\r\ndiff --git a/a b/a\r\n--- a/a\r\n+++ b/a\r\n@@ -1 +1 @@\r\n-x\r\n+y\r\n-- \r\n2.50.0\r\n',
    ),
    message('protocol-words', head('protocol words'), '\r\nQUIT\r\nDATA\r\nMAIL FROM:<x@y.example>\r\n250 OK\r\n'),
    message(
      'dkim-signed-looking',
      'DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=sender.example;\r\n s=s1; h=from:subject; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\r\n b=AAAA\r\nFrom: a@sender.example\r\nSubject: signed\r\n\r\nbody\r\n',
    ),
    message(
      'auto-submitted',
      'Auto-Submitted: auto-replied\r\nFrom: a@sender.example\r\nSubject: away\r\n\r\nI am away.\r\n',
    ),
    message(
      'partial',
      head('partial'),
      mime,
      'Content-Type: message/partial; id="x@y"; number=1; total=2\r\n\r\nthe first half\r\n',
    ),
    message(
      'external-body',
      head('external body'),
      mime,
      'Content-Type: message/external-body; access-type=URL; URL="https://sender.example/x"\r\n\r\nContent-Type: image/png\r\n\r\n',
    ),
    message('emoji', head('=?utf-8?B?8J+OiQ==?='), mime, plain('👩‍👩‍👧 e\u0301 \u200f rtl \ufeff bom\r\n')),
  ];
}

function brokenMessages(): CorpusMessage[] {
  return [
    message('no-header', '\r\nbody without any header\r\n'),
    message('no-header-no-blank', 'this is no header\r\nat all\r\n'),
    message('header-ends-in-text', 'Subject: text follows\r\nhere comes text without an empty line\r\n\r\nmore\r\n'),
    message(
      'header-mbox-line',
      `From alice@sender.example Sat Nov 21 09:00:00 2026\r\n${head('mbox line')}\r\nbody\r\n`,
    ),
    message('header-starts-with-fold', ' folded onto nothing\r\nSubject: fold first\r\n\r\nbody\r\n'),
    message('header-colon-first', ': no name\r\nSubject: colon\r\n\r\nbody\r\n'),
    message(
      'mime-no-boundary',
      head('no boundary'),
      mime,
      'Content-Type: multipart/mixed\r\n\r\n--b\r\n\r\ntext\r\n--b--\r\n',
    ),
    message(
      'mime-boundary-absent',
      head('boundary absent'),
      mime,
      'Content-Type: multipart/mixed; boundary=never\r\n\r\nno part at all\r\n',
    ),
    message(
      'mime-boundary-empty',
      head('boundary empty'),
      mime,
      'Content-Type: multipart/mixed; boundary=""\r\n\r\n--\r\n\r\ntext\r\n----\r\n',
    ),
    message('mime-type-empty', head('type empty'), mime, 'Content-Type:\r\n\r\nbody\r\n'),
    message('mime-type-half', head('type half'), mime, 'Content-Type: text\r\n\r\nbody\r\n'),
    message(
      'mime-type-twice',
      head('type twice'),
      mime,
      'Content-Type: text/html\r\nContent-Type: text/plain\r\n\r\n<p>which</p>\r\n',
    ),
    message(
      'mime-parameters-odd',
      head('odd parameters'),
      mime,
      'Content-Type: text/plain;; ; charset = "utf-8" ; =x; y; z="open\r\n\r\nbody ü\r\n',
    ),
    message(
      'mime-version-odd',
      head('odd version'),
      'MIME-Version: 2.0 (new)\r\nContent-Type: text/plain\r\n\r\nbody\r\n',
    ),
    message('base64-empty', head('base64 empty'), mime, 'Content-Transfer-Encoding: base64\r\n\r\n'),
    message('base64-not', head('base64 not'), mime, 'Content-Transfer-Encoding: base64\r\n\r\n!!! ??? ***\r\n'),
    message(
      'multipart-base64',
      head('multipart base64'),
      mime,
      'Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: base64\r\n\r\n--b\r\n\r\ntext\r\n--b--\r\n',
    ),
  ];
}
