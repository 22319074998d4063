/** Pictures of tickets: fetched with the customer's token, shown from memory. */

import { el } from "./dom.js";

/** @type {Map<string, Promise<string>>} */
const pictures = new Map();

/** The QR code of a confirmed booking, as soon as it is there; the reference in writing, whatever becomes of it. */
export function ticket(/** @type {import("./api.js").Booking} */ booking, /** @type {(bookingId: string) => Promise<Blob>} */ fetched) {
  const reference = booking.ticketReference ?? "";
  const frame = el("div", { class: "qr" });
  const note = el("p", { class: "hint", hidden: true }, "The picture of this ticket can't be had; its reference is just as good.");
  let picture = pictures.get(booking.bookingId);
  if (!picture) {
    picture = fetched(booking.bookingId).then((blob) => URL.createObjectURL(blob));
    pictures.set(booking.bookingId, picture);
  }
  picture.then(
    (url) => frame.replaceChildren(el("img", { src: url, alt: `QR code of ticket ${reference}`, width: 176, height: 176 })),
    () => {
      pictures.delete(booking.bookingId);
      frame.hidden = true;
      note.hidden = false;
    },
  );
  return el("div", { class: "ticket" }, frame, note, el("p", { class: "reference" }, el("span", { class: "unseen" }, "Ticket "), reference));
}
