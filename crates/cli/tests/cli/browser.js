// Looks at PAGE, a page as text, in frames of several widths, and leaves what it saw as JSON in this document's only <pre>.

// Two texts that lie on each other by less than this, in pixels, touch: a line's box is a little higher than its letters.
const TOUCH = 1.5;

// What a page asks for beside itself is refused, and that is told.
const NOTHING_BUT_ITSELF =
  "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">";

const box = (rect, text) => ({ l: rect.left, t: rect.top, r: rect.right, b: rect.bottom, text });

function textBoxes(doc) {
  const boxes = [];
  const nodes = doc.createTreeWalker(doc.body, NodeFilter.SHOW_TEXT);
  while (nodes.nextNode()) {
    const node = nodes.currentNode;
    const text = node.data.trim();
    if (!text || !node.parentElement.checkVisibility()) continue;
    const range = doc.createRange();
    range.selectNodeContents(node);
    const size = parseFloat(doc.defaultView.getComputedStyle(node.parentElement).fontSize);
    const scroller = node.parentElement.closest(".scroll") !== null;
    for (const rect of range.getClientRects()) {
      if (0 < rect.width && 0 < rect.height) boxes.push({ ...box(rect, text), size, scroller });
    }
  }
  return boxes;
}

function overlaps(boxes) {
  const sorted = [...boxes].sort((a, b) => a.t - b.t);
  const found = [];
  for (let i = 0; i < sorted.length; i++) {
    for (let j = i + 1; j < sorted.length && sorted[j].t < sorted[i].b - TOUCH; j++) {
      const [a, b] = [sorted[i], sorted[j]];
      const across = Math.min(a.r, b.r) - Math.max(a.l, b.l);
      const down = Math.min(a.b, b.b) - Math.max(a.t, b.t);
      if (TOUCH < across && TOUCH < down) found.push(`${a.text} | ${b.text}`);
    }
  }
  return found;
}

function tables(doc) {
  const cell = (td) => ({
    text: td.textContent.trim(),
    time: td.querySelector("time")?.dateTime ?? null,
    isText: td.classList.contains("t"),
    isSeen: td.checkVisibility() && 0 < td.getClientRects().length,
  });
  return [...doc.querySelectorAll("table[data-json]")].map((table) => ({
    json: table.dataset.json,
    fields: [...table.querySelectorAll("th[data-field]")].map((th) => th.dataset.field),
    rows: [...table.querySelectorAll("tbody tr")].map((tr) => [...tr.cells].map(cell)),
  }));
}

async function look(width, isOpen) {
  const frame = document.createElement("iframe");
  frame.style.cssText = `width:${width}px;height:1000px;border:0`;
  document.body.append(frame);
  const doc = frame.contentDocument;
  const requests = [];
  doc.open();
  doc.addEventListener("securitypolicyviolation", (event) => requests.push(event.blockedURI));
  const loaded = new Promise((done) => frame.contentWindow.addEventListener("load", done));
  doc.write(PAGE.replace(/<!doctype html>/i, (doctype) => doctype + NOTHING_BUT_ITSELF));
  doc.close();
  await loaded;
  for (const details of doc.querySelectorAll("details")) details.open = isOpen;
  const boxes = textBoxes(doc);
  const pictures = [...doc.querySelectorAll("svg")].map((svg) => box(svg.getBoundingClientRect(), "(a picture)"));
  const isOut = (b) => !b.scroller && (b.l < -TOUCH || width + TOUCH < b.r);
  const seen = {
    width,
    isOpen,
    pageWidth: doc.documentElement.scrollWidth,
    nBoxes: boxes.length,
    nPictures: pictures.filter((p) => 100 < p.r - p.l && 50 < p.b - p.t).length,
    smallest: Math.min(...boxes.map((b) => b.size)),
    outside: [...boxes, ...pictures].filter(isOut).map((b) => b.text),
    overlaps: overlaps([...boxes, ...pictures]),
    scrolled: [...doc.querySelectorAll(".scroll")]
      .filter((s) => s.checkVisibility() && s.clientWidth < s.scrollWidth)
      .map((s) => s.querySelector("table").dataset.json),
    requests,
    tables: tables(doc),
  };
  frame.remove();
  return seen;
}

(async () => {
  const seen = [];
  for (const width of [400, 1400]) {
    for (const isOpen of [false, true]) seen.push(await look(width, isOpen));
  }
  const pre = document.createElement("pre");
  pre.textContent = JSON.stringify(seen);
  document.body.append(pre);
})();
