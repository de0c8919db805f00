//! Labels for the lines of standard input: predict FOLDER < texts.txt
use std::ffi::{c_char, c_int, CStr, CString};
use std::io::{self, BufRead};

#[repr(C)]
struct Text {
    bytes: *const c_char,
    size: usize,
}

#[repr(C)]
struct Opaque {
    _private: [u8; 0],
}

#[link(name = "potstill-core")]
extern "C" {
    fn potstill_open(
        folder: *const c_char,
        precision: *const c_char,
        error: *mut c_char,
        error_size: usize,
    ) -> *mut Opaque;
    fn potstill_label(student: *const Opaque, index: usize) -> *const c_char;
    fn potstill_logits(
        student: *const Opaque,
        texts: *const Text,
        n_rows: usize,
        texts_a_row: c_int,
        logits: *mut f32,
    ) -> c_int;
    fn potstill_close(student: *mut Opaque);
}

/// A student of single texts, closed when it is dropped.
struct Student {
    student: *mut Opaque,
    labels: Vec<String>,
}

// Threads may share a student: only potstill_close must be called once, and drop is.
unsafe impl Send for Student {}
unsafe impl Sync for Student {}

impl Student {
    fn open(folder: &str) -> Result<Student, String> {
        let folder = CString::new(folder).map_err(|error| error.to_string())?;
        let mut error: [c_char; 300] = [0; 300];
        let student = unsafe {
            potstill_open(
                folder.as_ptr(),
                std::ptr::null(),
                error.as_mut_ptr(),
                error.len(),
            )
        };
        if student.is_null() {
            let error = unsafe { CStr::from_ptr(error.as_ptr()) };
            return Err(error.to_string_lossy().into_owned());
        }
        let mut opened = Student {
            student,
            labels: Vec::new(),
        };
        loop {
            let label = unsafe { potstill_label(student, opened.labels.len()) };
            if label.is_null() {
                return Ok(opened);
            }
            let label = unsafe { CStr::from_ptr(label) };
            opened.labels.push(label.to_string_lossy().into_owned());
        }
    }

    /// The likeliest label of each text.
    fn predict(&self, texts: &[String]) -> Result<Vec<&str>, String> {
        let views: Vec<Text> = texts
            .iter()
            .map(|text| Text {
                bytes: text.as_ptr().cast(),
                size: text.len(),
            })
            .collect();
        let n_labels = self.labels.len();
        let mut logits = vec![0f32; texts.len() * n_labels];
        let status = unsafe {
            potstill_logits(
                self.student,
                views.as_ptr(),
                views.len(),
                1,
                logits.as_mut_ptr(),
            )
        };
        match status {
            0 => {}
            2 => return Err("the student reads pairs of texts".to_string()),
            _ => return Err("not enough memory".to_string()),
        }
        let best = |row: &[f32]| (1..n_labels).fold(0, |a, b| if row[b] > row[a] { b } else { a });
        Ok(logits
            .chunks(n_labels)
            .map(|row| self.labels[best(row)].as_str())
            .collect())
    }
}

impl Drop for Student {
    fn drop(&mut self) {
        unsafe { potstill_close(self.student) }
    }
}

fn main() -> Result<(), String> {
    let folder = std::env::args().nth(1).ok_or("predict FOLDER < texts.txt")?;
    let student = Student::open(&folder)?;
    let lines: Result<Vec<String>, _> = io::stdin().lock().lines().collect();
    for label in student.predict(&lines.map_err(|error| error.to_string())?)? {
        println!("{label}");
    }
    Ok(())
}
