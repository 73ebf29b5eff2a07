"use strict";
// Filters, order and the enlarged view of the cases. Without it, every case is shown as it stands.
(function () {
  var controls = document.querySelector(".controls");
  if (!controls) { return; }
  controls.hidden = false;
  var groups = Array.from(document.querySelectorAll(".group"));
  var buttons = Array.from(controls.querySelectorAll("[data-show]"));
  var order = document.getElementById("order");
  var part = document.getElementById("part");
  var status = document.getElementById("shown");
  var dialog = document.querySelector("dialog");
  var stage = dialog.querySelector(".stage");
  var current = null;

  // A filter by body part is offered where there is a choice.
  var parts = Array.from(new Set(Array.from(document.querySelectorAll(".case"), function (card) {
    return card.dataset.part;
  }))).sort();
  parts.forEach(function (name) { part.add(new Option(name, name)); });
  part.parentElement.hidden = parts.length < 2;

  function all(root) { return Array.from(root.querySelectorAll(".case")); }

  function show(key) {
    groups.forEach(function (group) { group.hidden = key !== "all" && group.dataset.group !== key; });
    buttons.forEach(function (button) {
      button.setAttribute("aria-pressed", String(button.dataset.show === key));
    });
    document.querySelectorAll(".case").forEach(function (card) {
      card.hidden = part.value !== "" && card.dataset.part !== part.value;
    });
    var visible = visibleCases().length;
    status.textContent = visible === 1 ? "1 case" : visible + " cases";
  }

  var compare = {
    rule: function (a, b) { return a.dataset.rank - b.dataset.rank; },
    down: function (a, b) { return b.dataset.score - a.dataset.score; },
    up: function (a, b) { return a.dataset.score - b.dataset.score; },
    id: function (a, b) { return a.dataset.id < b.dataset.id ? -1 : 1; }
  };

  function sort() {
    groups.forEach(function (group) {
      var cards = group.querySelector(".cards");
      all(group).sort(compare[order.value]).forEach(function (card) { cards.appendChild(card); });
    });
  }

  function visibleCases() {
    return groups.filter(function (group) { return !group.hidden; }).reduce(function (list, group) {
      return list.concat(all(group).filter(function (card) { return !card.hidden; }));
    }, []);
  }

  // The cases that can be enlarged, in the order in which they stand on the page now.
  function visibleButtons() {
    return visibleCases().map(function (card) { return card.querySelector(".enlarge"); }).filter(Boolean);
  }

  function enlarge(button) {
    current = button;
    stage.replaceChildren(button.querySelector(".pair").cloneNode(true));
    var caption = button.closest(".case").querySelector("figcaption");
    document.getElementById("enlarged-title").textContent =
      Array.from(caption.children).map(function (part) { return part.textContent.trim(); }).join("  ·  ");
    if (!dialog.open) { dialog.showModal(); }
  }

  function step(by) {
    var list = visibleButtons();
    enlarge(list[(list.indexOf(current) + by + list.length) % list.length]);
  }

  buttons.forEach(function (button) {
    button.addEventListener("click", function () { show(button.dataset.show); });
  });
  order.addEventListener("change", sort);
  part.addEventListener("change", function () {
    show(buttons.find(function (button) { return button.getAttribute("aria-pressed") === "true"; }).dataset.show);
  });
  document.querySelectorAll(".enlarge").forEach(function (button) {
    button.addEventListener("click", function () { enlarge(button); });
  });
  dialog.querySelectorAll("[data-step]").forEach(function (button) {
    button.addEventListener("click", function () { step(Number(button.dataset.step)); });
  });
  dialog.querySelector("[data-close]").addEventListener("click", function () { dialog.close(); });
  dialog.addEventListener("keydown", function (event) {
    if (event.key === "ArrowRight") { step(1); event.preventDefault(); }
    if (event.key === "ArrowLeft") { step(-1); event.preventDefault(); }
  });
  dialog.addEventListener("click", function (event) { if (event.target === dialog) { dialog.close(); } });
  dialog.addEventListener("close", function () { if (current) { current.focus(); } });
  show("all");
})();
