// Frames of view copies: frame n is always cell n of the sheets, so no player can show another one.

const sheets = new Map();

/** A sheet's picture, once it can be drawn. */
function loadSheet(name) {
  if (!sheets.has(name)) {
    const image = new Image();
    image.src = content.isBundle ? `media/${name}` : `data:image/webp;base64,${document.getElementById(`media-${name}`).textContent}`;
    sheets.set(name, { image, isReady: false, ready: null });
    const sheet = sheets.get(name);
    sheet.ready = image.decode().then(() => {
      sheet.isReady = true;
    });
  }
  return sheets.get(name);
}

/** The names of a clip's sheets: what the tokenizer got, what it made of it, or the error. */
function sheetNames(clip, source) {
  return source.kind === "reference" ? clip.reference : clip.systems[source.row][source.kind];
}

/** Where a frame is. */
function cellOf(clip, frame) {
  const [numRows, numColumns] = clip.grid;
  const sheet = Math.floor(frame / (numRows * numColumns));
  const inside = frame % (numRows * numColumns);
  return { sheet, top: Math.floor(inside / numColumns) * clip.stride[0] + clip.gutter, left: (inside % numColumns) * clip.stride[1] + clip.gutter };
}

/**
 * Draw one frame into all canvases at once, as soon as all pictures it takes are there.
 *
 * `panes`: { canvas, source }; `isCurrent` says whether the frame is still wanted by then.
 */
async function drawFrame(clip, frame, panes, isCurrent) {
  const cell = cellOf(clip, frame);
  const needed = panes.map(({ source }) => loadSheet(sheetNames(clip, source)[cell.sheet]));
  if (!needed.every((sheet) => sheet.isReady)) await Promise.all(needed.map((sheet) => sheet.ready));
  if (!isCurrent()) return;
  const [height, width] = clip.size;
  panes.forEach(({ canvas }, place) => {
    canvas.getContext("2d").drawImage(needed[place].image, cell.left, cell.top, width, height, 0, 0, width, height);
    canvas.dataset.frame = frame;
  });
}
