// The Python module potstill_core: a student's files to logits. One built file serves every Python from 3.11 on.
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030B0000
#endif
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <exception>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "files.h"
#include "student.h"

namespace {

// What a Python object owns: the files and the student that reads them.
struct Opened {
  potstill::File config, tokenizer, plan, weights;
  potstill::Student student;
};

struct Object {
  PyObject_HEAD Opened *opened;
};

Opened &opened(PyObject *self) { return *reinterpret_cast<Object *>(self)->opened; }

int init(PyObject *self, PyObject *args, PyObject *) {
  const char *paths[4] = {}, *instructions = nullptr;
  if (!PyArg_ParseTuple(args, "ssss|z", &paths[0], &paths[1], &paths[2], &paths[3], &instructions)) return -1;
  const potstill::Kernels *kernels = potstill::find_kernels(instructions);
  if (!kernels) {
    PyErr_Format(PyExc_ValueError, "this processor has no instructions '%s', or there are no kernels for them",
                 instructions);
    return -1;
  }
  try {
    auto made = std::make_unique<Opened>();
    potstill::File *files[] = {&made->config, &made->tokenizer, &made->plan, &made->weights};
    for (int i = 0; i < 4; ++i)
      if (!files[i]->open(paths[i])) {
        PyErr_Format(PyExc_OSError, "%s: cannot be read", paths[i]);
        return -1;
      }
    const potstill::StudentFiles contents{made->config.content(), made->tokenizer.content(), made->plan.content(),
                                          made->weights.content()};
    std::string problem;
    bool fits = true;
    Py_BEGIN_ALLOW_THREADS;  // nothing may be thrown past its end
    try {
      problem = made->student.read(contents, *kernels);
    } catch (const std::exception &) {
      fits = false;
    }
    Py_END_ALLOW_THREADS;
    if (!fits) {
      PyErr_NoMemory();
      return -1;
    }
    if (!problem.empty()) {
      PyErr_SetString(PyExc_ValueError, problem.c_str());
      return -1;
    }
    Opened *&opened = reinterpret_cast<Object *>(self)->opened;
    if (opened) {  // another thread may be reading it
      PyErr_SetString(PyExc_ValueError, "opened already");
      return -1;
    }
    opened = made.release();
    return 0;
  } catch (const std::bad_alloc &) {
    PyErr_NoMemory();
    return -1;
  }
}

void dealloc(PyObject *self) {
  PyTypeObject *type = Py_TYPE(self);
  delete reinterpret_cast<Object *>(self)->opened;
  reinterpret_cast<freefunc>(PyType_GetSlot(type, Py_tp_free))(self);
  Py_DECREF(type);
}

bool is_open(PyObject *self) {
  if (reinterpret_cast<Object *>(self)->opened) return true;
  PyErr_SetString(PyExc_ValueError, "not opened");
  return false;
}

// The UTF-8 of a str, which lives as long as it; false with an error set.
bool utf8(PyObject *text, std::string_view &view) {
  Py_ssize_t size = 0;
  const char *bytes = PyUnicode_AsUTF8AndSize(text, &size);
  if (bytes) view = {bytes, static_cast<size_t>(size)};
  return bytes != nullptr;
}

PyObject *logits(PyObject *self, PyObject *args) {
  PyObject *texts = nullptr, *array = nullptr;
  if (!is_open(self) || !PyArg_ParseTuple(args, "OO", &texts, &array)) return nullptr;
  const potstill::Student &student = opened(self).student;
  if (!PyList_Check(texts)) {
    PyErr_SetString(PyExc_TypeError, "texts are a list");
    return nullptr;
  }
  Py_buffer buffer;
  if (PyObject_GetBuffer(array, &buffer, PyBUF_CONTIG) < 0) return nullptr;
  const size_t size = static_cast<size_t>(PyList_Size(texts)), a_text = student.reads_pairs() ? 2 : 1;
  bool is_good =
      static_cast<size_t>(buffer.len) == size / a_text * student.labels().size() * sizeof(float) && size % a_text == 0;
  if (!is_good) PyErr_SetString(PyExc_ValueError, "the array does not fit the texts");
  bool fits = true;
  try {
    std::string_view one[2];
    std::vector<std::string_view> many(size > 2 ? size : 0);
    std::string_view *views = size > 2 ? many.data() : one;
    for (size_t i = 0; i < size && is_good; ++i)
      is_good = utf8(PyList_GetItem(texts, static_cast<Py_ssize_t>(i)), views[i]);
    if (is_good) {
      Py_BEGIN_ALLOW_THREADS;
      try {
        fits = student.logits(views, size / a_text, static_cast<float *>(buffer.buf));
      } catch (const std::exception &) {
        fits = false;
      }
      Py_END_ALLOW_THREADS;
    }
  } catch (const std::bad_alloc &) {
    fits = false;
  }
  PyBuffer_Release(&buffer);
  if (!is_good) return nullptr;
  if (!fits) return PyErr_NoMemory();
  Py_RETURN_NONE;
}

PyObject *encode(PyObject *self, PyObject *text) {
  std::string_view view;
  if (!is_open(self) || !utf8(text, view)) return nullptr;
  std::vector<uint32_t> ids;
  try {
    ids = opened(self).student.encode(view);
  } catch (const std::bad_alloc &) {
    return PyErr_NoMemory();
  }
  PyObject *list = PyList_New(static_cast<Py_ssize_t>(ids.size()));
  for (size_t i = 0; list && i < ids.size(); ++i) {
    PyObject *id = PyLong_FromUnsignedLong(ids[i]);
    if (!id || PyList_SetItem(list, static_cast<Py_ssize_t>(i), id) < 0) Py_CLEAR(list);
  }
  return list;
}

PyObject *words(PyObject *, PyObject *text) {
  std::string_view view;
  if (!utf8(text, view)) return nullptr;
  std::vector<potstill::Span> spans;
  try {
    spans = potstill::words_of(view);
  } catch (const std::bad_alloc &) {
    return PyErr_NoMemory();
  }
  PyObject *list = PyList_New(static_cast<Py_ssize_t>(spans.size()));
  for (size_t i = 0; list && i < spans.size(); ++i) {
    PyObject *span = Py_BuildValue("II", spans[i].start, spans[i].end);
    if (!span || PyList_SetItem(list, static_cast<Py_ssize_t>(i), span) < 0) Py_CLEAR(list);
  }
  return list;
}

PyObject *instructions(PyObject *self, void *) {
  return is_open(self) ? PyUnicode_FromString(opened(self).student.instructions()) : nullptr;
}

PyObject *reads_pairs(PyObject *self, void *) {
  return is_open(self) ? PyBool_FromLong(opened(self).student.reads_pairs()) : nullptr;
}

PyObject *unknown_id(PyObject *self, void *) {
  return is_open(self) ? PyLong_FromUnsignedLong(opened(self).student.unknown_id()) : nullptr;
}

PyObject *n_labels(PyObject *self, void *) {
  return is_open(self) ? PyLong_FromSize_t(opened(self).student.labels().size()) : nullptr;
}

PyMethodDef methods[] = {
    {"logits", logits, METH_VARARGS, "logits(texts, array): fill a contiguous float32 array [n_texts, n_labels]."},
    {"encode", encode, METH_O, "encode(text): the ids of its tokens."},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef properties[] = {{"instructions", instructions, nullptr, "the instruction set of its kernels", nullptr},
                            {"reads_pairs", reads_pairs, nullptr, "whether it reads pairs of texts", nullptr},
                            {"unknown_id", unknown_id, nullptr, "the id of a word that it does not know", nullptr},
                            {"n_labels", n_labels, nullptr, "how many labels it has", nullptr},
                            {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char *>("Student(config, tokenizer, plan, weights, instructions=None): a student, by the "
                                   "paths of its files.")},
    {Py_tp_init, reinterpret_cast<void *>(init)},
    {Py_tp_dealloc, reinterpret_cast<void *>(dealloc)},
    {Py_tp_methods, methods},
    {Py_tp_getset, properties},
    {0, nullptr}};

PyType_Spec spec = {"potstill_core.Student", sizeof(Object), 0, Py_TPFLAGS_DEFAULT, slots};

PyMethodDef functions[] = {
    {"words", words, METH_O, "words(text): where its words begin and end, in characters, as students split it."},
    {nullptr, nullptr, 0, nullptr}};

PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "potstill_core", "Students without ONNX Runtime.", 0, functions, nullptr, nullptr, nullptr,
    nullptr};

}  // namespace

PyMODINIT_FUNC PyInit_potstill_core() {
  PyObject *module = PyModule_Create(&definition);
  PyObject *type = module ? PyType_FromSpec(&spec) : nullptr;
  if (type && PyModule_AddObjectRef(module, "Student", type) < 0) Py_CLEAR(module);
  Py_XDECREF(type);
  return module;
}
