// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// The page for blind votes: shows pairs in random order, remembers the choices, saves them as votes.json.
// A classic script, because browsers load no module from a page that was opened as a file. STUDY is in study.js.
'use strict'

const at = id => document.getElementById(id)
const images = [at('left'), at('right')]
const frames = images.map(image => image.parentElement)
const names = Object.keys(STUDY.models)
const total = STUDY.photos.length * names.length * (names.length - 1) / 2
const STORE = `impasto-vote ${STUDY.study}`
const PAUSE = 300  // ms during which a new pair takes no choice, so that a double press is one vote

let ballot = restore() ?? newBallot()  // { id, voter, saved, pairs: [photo, left, right], votes: { choice, seconds } }
let showing = 0  // counts calls of show
let shownAt = null  // when the pair became visible; null while it takes no choice

function random(below) {
  return crypto.getRandomValues(new Uint32Array(1))[0] % below
}

function newBallot() {
  const pairs = STUDY.photos.flatMap((_, photo) =>
    names.flatMap((one, first) =>
      names.slice(first + 1).map(other => random(2) ? [photo, one, other] : [photo, other, one])))
  for (let last = pairs.length - 1; last > 0; last--) {  // Fisher and Yates
    const other = random(last + 1)
    const pair = pairs[last]
    pairs[last] = pairs[other]
    pairs[other] = pair
  }
  const id = Array.from(crypto.getRandomValues(new Uint8Array(8)), byte => byte.toString(16).padStart(2, '0')).join('')
  return { id, voter: '', saved: 0, pairs, votes: [] }
}

function restore() {
  try {
    const stored = JSON.parse(localStorage.getItem(STORE))
    return stored?.pairs.length === total ? stored : null
  } catch {
    return null  // nothing that this page stored, or a browser that stores nothing
  }
}

function remember() {
  try {
    localStorage.setItem(STORE, JSON.stringify(ballot))
  } catch {
    fail('This browser does not remember your votes: save them before you close or reload the page.')
  }
}

function fail(sentence) {
  at('error').textContent = sentence
  at('error').hidden = false
}

async function show() {
  const call = ++showing
  const turn = ballot.votes.length
  const finished = turn === total
  shownAt = null
  zoom(false)
  document.body.classList.remove('shown')
  at('progress').textContent = finished ? `${total} of ${total} done` : `${turn + 1} of ${total}`
  at('bar').max = total
  at('bar').value = turn
  at('back').disabled = turn === 0
  at('save').disabled = turn === 0
  at('save').classList.toggle('main', finished)
  at('again').hidden = ballot.saved < total
  for (const id of ['pair', 'choices', 'zoom', 'photo-box']) at(id).hidden = finished
  at('painting-box').hidden = finished || !STUDY.painting
  at('end').hidden = !finished
  if (finished) return
  const sources = pictures(turn)
  images[0].src = sources[0]
  images[1].src = sources[1]
  at('photo').src = STUDY.photos[ballot.pairs[turn][0]].thumbnail
  try {
    await Promise.all(images.map(image => image.decode()))
  } catch {
    if (call === showing) fail('A picture of this pair cannot be loaded: reload the page, or ask for a complete copy.')
    return
  }
  if (call !== showing) return
  document.body.classList.add('shown')
  const visible = performance.now()
  if (turn + 1 < total) for (const source of pictures(turn + 1)) new Image().src = source
  setTimeout(() => { if (call === showing) shownAt = visible }, PAUSE)
}

function pictures(turn) {
  const [photo, ...sides] = ballot.pairs[turn]
  return sides.map(name => STUDY.photos[photo].stylized[name])
}

function choose(choice) {
  if (shownAt === null) return
  ballot.votes.push({ choice, seconds: Math.round((performance.now() - shownAt) / 10) / 100 })
  remember()
  show()
}

function goBack() {
  ballot.votes.pop()
  ballot.saved = Math.min(ballot.saved, ballot.votes.length)
  remember()
  show()
}

function save() {
  const votes = ballot.votes.map(({ choice, seconds }, turn) => {
    const [photo, left, right] = ballot.pairs[turn]
    return { photo: STUDY.photos[photo].name, left, right, choice: choice && { left, right }[choice], seconds }
  })
  const { format, study, models } = STUDY
  const content = { format, study, id: ballot.id, voter: ballot.voter.trim() || null, models, votes }
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob([JSON.stringify(content, null, 1) + '\n'], { type: 'application/json' }))
  link.download = 'votes.json'
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
  ballot.saved = votes.length
  remember()
  at('again').hidden = ballot.saved < total
}

function startAgain() {
  ballot = newBallot()
  at('voter').value = ''
  remember()
  show()
}

// Shows both pictures at 100 %, centered at a point in fractions of the picture.
function zoom(on, x = 0.5, y = 0.5) {
  document.body.classList.toggle('zoomed', on)
  at('zoom').setAttribute('aria-pressed', on)
  for (const image of images) image.style.width = on ? `${image.naturalWidth / devicePixelRatio}px` : ''
  if (on) {
    frames[0].scrollLeft = x * frames[0].scrollWidth - frames[0].clientWidth / 2
    frames[0].scrollTop = y * frames[0].scrollHeight - frames[0].clientHeight / 2
    follow(frames[0])
  }
}

const zoomed = () => document.body.classList.contains('zoomed')

function follow(frame) {
  const other = frames[1 - frames.indexOf(frame)]
  for (const side of ['scrollLeft', 'scrollTop'])  // a difference below 1 is rounding
    if (Math.abs(other[side] - frame[side]) >= 1) other[side] = frame[side]
}

let drag = null  // the mouse's last place while a button is down; a finger scrolls the frame itself
let dragged = false

for (const frame of frames) {
  frame.addEventListener('scroll', () => follow(frame))
  frame.addEventListener('pointerdown', event => {
    dragged = false
    drag = event.pointerType === 'mouse' && zoomed() ? { x: event.clientX, y: event.clientY } : null
    if (drag) frame.setPointerCapture(event.pointerId)
  })
  frame.addEventListener('pointermove', event => {
    if (!drag) return
    const [x, y] = [drag.x - event.clientX, drag.y - event.clientY]
    if (!dragged && Math.hypot(x, y) < 4) return
    dragged = true
    frame.scrollBy(x, y)
    drag = { x: event.clientX, y: event.clientY }
  })
  frame.addEventListener('pointerup', () => { drag = null })
  frame.addEventListener('click', event => {
    if (dragged || !document.body.classList.contains('shown')) return
    const box = images[frames.indexOf(frame)].getBoundingClientRect()
    zoom(!zoomed(), (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height)
  })
}

document.addEventListener('keydown', event => {
  const choice = { ArrowLeft: 'left', ArrowRight: 'right', ArrowDown: null }[event.key]
  if (event.target === at('voter') || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return
  if (event.key === 'Escape') zoom(false)
  if (choice === undefined || ballot.votes.length === total) return
  event.preventDefault()
  if (!event.repeat) choose(choice)
})

at('choose-left').addEventListener('click', () => choose('left'))
at('choose-right').addEventListener('click', () => choose('right'))
at('choose-none').addEventListener('click', () => choose(null))
at('zoom').addEventListener('click', () => zoom(!zoomed()))
at('back').addEventListener('click', goBack)
at('save').addEventListener('click', save)
at('again').addEventListener('click', startAgain)
at('voter').value = ballot.voter
at('voter').addEventListener('input', () => {
  ballot.voter = at('voter').value
  remember()
})
if (STUDY.painting) at('painting').src = STUDY.painting
remember()
show()
